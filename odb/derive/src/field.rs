//! One field: its shape, its documentation, its default.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{
    Expr, ExprArray, ExprLit, ExprUnary, GenericArgument, Ident, Lit, Meta, PathArguments, Type, UnOp,
};

use crate::attribute::KeyAttribute;

/// How many values a field has, with the type of one.
pub(crate) enum Shape<'a> {
    Scalar(&'a Type),
    Array(&'a Type, &'a Expr),
    Vec(&'a Type),
}

/// A field of the struct.
pub(crate) struct Field<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) ty: &'a Type,
    pub(crate) shape: Shape<'a>,
    pub(crate) key: KeyAttribute,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) unit: Option<String>,
}

impl<'a> Field<'a> {
    pub(crate) fn read(field: &'a syn::Field) -> syn::Result<Field<'a>> {
        let ident =
            field.ident.as_ref().ok_or_else(|| syn::Error::new(field.span(), "a field needs a name"))?;
        let mut key = None;
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("key")) {
            if key.replace(attribute.parse_args::<KeyAttribute>()?).is_some() {
                return Err(syn::Error::new(
                    attribute.span(),
                    "one `#[key]` to a field: put all into the first, separated by commas",
                ));
            }
        }
        let key = key.unwrap_or_default();
        let shape = shape(&field.ty);
        if let (Some(wrong), false) = (key.len.as_ref().or(key.per.as_ref()), matches!(shape, Shape::Vec(_)))
        {
            return Err(syn::Error::new(
                wrong.span(),
                "`len` and `per` are for a field of type Vec: write Vec<f32> for one value per element",
            ));
        }
        let name = key.name.as_ref().map_or_else(|| ident_text(ident), |name| name.value());
        let (description, unit) = documentation(field);
        Ok(Field { ident, ty: &field.ty, shape, key, name, description, unit })
    }

    fn element(&self) -> &Type {
        match self.shape {
            Shape::Scalar(element) | Shape::Array(element, _) | Shape::Vec(element) => element,
        }
    }

    /// The value of the field in a new instance.
    pub(crate) fn default(&self) -> TokenStream {
        let ty = self.ty;
        if self.key.skip {
            return quote!(<#ty as ::core::default::Default>::default());
        }
        let element = self.element();
        if let Some(Expr::Array(ExprArray { elems, .. })) = &self.key.default {
            let elements = elems.iter().map(|one| literal(one, element));
            return match self.shape {
                Shape::Vec(_) => quote!(::std::vec![#(#elements),*]),
                Shape::Array(..) | Shape::Scalar(_) => quote!([#(#elements),*]),
            };
        }
        let one = self.one();
        match &self.shape {
            Shape::Scalar(_) => one,
            // Not `[x; N]`: a String is not Copy.
            Shape::Array(..) => quote!(::core::array::from_fn(|_| #one)),
            Shape::Vec(_) => {
                let len = match (&self.key.len, &self.key.per, &self.key.default) {
                    (Some(len), _, _) => quote!(#len),
                    // The length of the bank, if it has one; else `create` finds it.
                    (None, Some(bank), _) => quote!((#bank).elements().unwrap_or(0)),
                    (None, None, Some(_)) => quote!(1),
                    (None, None, None) => quote!(0),
                };
                quote!(::std::vec![#one; #len])
            }
        }
    }

    /// The default of one element.
    fn one(&self) -> TokenStream {
        let element = self.element();
        match &self.key.default {
            Some(Expr::Array(_)) | None => quote!(<#element as ::core::default::Default>::default()),
            Some(one) => literal(one, element),
        }
    }

    /// The `Field` that describes the key.
    pub(crate) fn definition(&self, root: &TokenStream) -> TokenStream {
        let (name, description, element) = (&self.name, &self.description, self.element());
        let unit = option(self.unit.as_ref().map(|unit| quote!(#unit)));
        let float: Type = syn::parse_quote!(f64);
        let limit = |limit: &Option<Expr>| option(limit.as_ref().map(|limit| as_float(limit, &float)));
        let (min, max) = (limit(&self.key.min), limit(&self.key.max));
        let len = option(self.key.len.as_ref().map(|len| quote!(#len)));
        let per = option(self.key.per.as_ref().map(
            |bank| quote!(#root::record::Bank { name: (#bank).name().bytes(), elements: (#bank).elements() }),
        ));
        let shape = match &self.shape {
            Shape::Scalar(_) => quote!(Scalar),
            Shape::Array(_, len) => quote!(Array(#len)),
            Shape::Vec(_) => quote!(Vec),
        };
        let (of, default) = match (&self.shape, &self.key.default) {
            (Shape::Vec(_), Some(Expr::Array(_))) | (Shape::Scalar(_) | Shape::Array(..), _) => {
                (self.ty, self.default())
            }
            (Shape::Vec(_), _) => (element, self.one()),
        };
        quote! {
            #root::record::Field {
                name: #name,
                tid: <#element as #root::Element>::TID,
                shape: #root::record::Shape::#shape,
                description: #description,
                unit: #unit,
                min: #min,
                max: #max,
                len: #len,
                per: #per,
                default: <#root::Value as ::core::convert::From<#of>>::from(#default),
            }
        }
    }
}

fn option(value: Option<TokenStream>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

fn shape(ty: &Type) -> Shape<'_> {
    if let Type::Array(array) = ty {
        return Shape::Array(&array.elem, &array.len);
    }
    let Type::Path(path) = ty else { return Shape::Scalar(ty) };
    let Some(last) = path.path.segments.last().filter(|last| last.ident == "Vec") else {
        return Shape::Scalar(ty);
    };
    match &last.arguments {
        PathArguments::AngleBracketed(arguments) => match arguments.args.first() {
            Some(GenericArgument::Type(element)) => Shape::Vec(element),
            _ => Shape::Scalar(ty),
        },
        _ => Shape::Scalar(ty),
    }
}

fn is(ty: &Type, names: &[&str]) -> bool {
    matches!(ty, Type::Path(path) if names.iter().any(|name| path.path.is_ident(name)))
}

/// A default as the type of the field: `1` is fine for an f32, and a text for a String.
fn literal(expr: &Expr, ty: &Type) -> TokenStream {
    if is(ty, &["f32", "f64"]) {
        return float_literal(expr).unwrap_or_else(|| expr.to_token_stream());
    }
    if is(ty, &["String"]) {
        return quote!(::std::string::String::from(#expr));
    }
    expr.to_token_stream()
}

fn as_float(expr: &Expr, ty: &Type) -> TokenStream {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Float(_), .. }) => expr.to_token_stream(),
        _ => float_literal(expr).unwrap_or_else(|| quote!(<#ty as ::core::convert::From<_>>::from(#expr))),
    }
}

/// A whole number written as one with a point; `None` for anything else.
fn float_literal(expr: &Expr) -> Option<TokenStream> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) if number.suffix().is_empty() => {
            let digits: u64 = number.base10_parse().ok()?;
            let text = syn::LitFloat::new(&format!("{digits}.0"), number.span());
            Some(quote!(#text))
        }
        Expr::Unary(ExprUnary { op: UnOp::Neg(minus), expr, .. }) => {
            let inner = match &**expr {
                Expr::Lit(ExprLit { lit: Lit::Float(number), .. }) => quote!(#number),
                other => float_literal(other)?,
            };
            Some(quote!(#minus #inner))
        }
        _ => None,
    }
}

/// `r#type` is the key `type`.
fn ident_text(ident: &Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").unwrap_or(&text).to_owned()
}

/// The documentation of a field: what it is, and the unit in the last brackets.
fn documentation(field: &syn::Field) -> (String, Option<String>) {
    let mut lines = Vec::new();
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let Meta::NameValue(pair) = &attribute.meta
            && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value
        {
            lines.push(text.value().trim().to_owned());
        }
    }
    let text = lines.join(" ").trim().to_owned();
    let unit = text.rsplit_once('[').and_then(|(before, rest)| {
        let (unit, after) = rest.split_once(']')?;
        Some((before.trim_end().to_owned(), unit.trim().to_owned(), after.to_owned()))
    });
    match unit {
        Some((before, unit, after)) if !unit.is_empty() => {
            (format!("{before}{after}").trim().to_owned(), Some(unit))
        }
        _ => (text, None),
    }
}
