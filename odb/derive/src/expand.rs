//! The code of `impl Record`.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Data, DeriveInput, Fields, Ident, LitInt};

use crate::field::{Field, Shape};

pub(crate) fn record(input: &DeriveInput) -> syn::Result<TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new_spanned(
            &input.ident,
            "a Record is a struct with named fields, one for each parameter",
        ));
    };
    if let Fields::Unnamed(fields) = &data.fields {
        return Err(syn::Error::new_spanned(
            fields,
            "the fields of a Record need names, as its keys do: struct Calib { gain: f32 }",
        ));
    }
    let all: Vec<Field<'_>> = data.fields.iter().map(Field::read).collect::<syn::Result<_>>()?;
    let root = root()?;
    let keys: Vec<&Field<'_>> = all.iter().filter(|field| !field.key.skip).collect();
    for (at, field) in keys.iter().enumerate() {
        if keys[..at].iter().any(|other| same_key(&other.name, &field.name)) {
            return Err(syn::Error::new_spanned(
                field.ident,
                format!("two fields of key '{0}': give one another name, as #[key(\"{0} 2\")]", field.name),
            ));
        }
    }

    let idents: Vec<_> = all.iter().map(|field| field.ident).collect();
    let defaults: Vec<_> = all.iter().map(|field| field.default()).collect();
    let definitions: Vec<_> = keys.iter().map(|field| field.definition(&root)).collect();
    let key_idents: Vec<_> = keys.iter().map(|field| field.ident).collect();
    let numbers: Vec<_> = (0..keys.len()).map(|at| LitInt::new(&at.to_string(), Span::call_site())).collect();
    let per = keys.iter().filter(|field| matches!(field.shape, Shape::Vec(_))).filter_map(|field| {
        let (name, ident, bank) = (&field.name, field.ident, field.key.per.as_ref()?);
        Some(quote!(#root::record::Per { key: #name, bank: (#bank).name().bytes(), len: self.#ident.len() }))
    });

    let name = &input.ident;
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #generics #root::Record for #name #arguments #bounds {
            fn defaults() -> Self {
                Self { #(#idents: #defaults,)* }
            }

            fn fields(&self) -> ::std::vec::Vec<#root::record::Field> {
                ::std::vec![#(#definitions),*]
            }

            #[allow(unused_variables, reason = "a struct may have no keys")]
            fn load(&mut self, tree: &#root::Tree, path: &#root::Path) -> #root::Result<()> {
                let fields = #root::Record::fields(self);
                #(fields[#numbers].load(tree, path, &mut self.#key_idents)?;)*
                ::core::result::Result::Ok(())
            }

            #[allow(unused_variables, unused_mut, reason = "a struct may have no keys")]
            fn create(
                &self,
                tree: &mut #root::Tree,
                path: &#root::Path,
                lengths: &#root::record::Lengths<'_>,
            ) -> #root::Result<::std::vec::Vec<#root::Path>> {
                let fields = #root::Record::fields(self);
                let mut made = ::std::vec::Vec::new();
                #(fields[#numbers].create(tree, path, &self.#key_idents, lengths, &mut made)?;)*
                ::core::result::Result::Ok(made)
            }

            fn per(&self) -> ::std::vec::Vec<#root::record::Per> {
                ::std::vec![#(#per),*]
            }
        }
    })
}

/// Keys are found ignoring case and with `_` for a blank.
fn same_key(a: &str, b: &str) -> bool {
    a.replace('_', " ").eq_ignore_ascii_case(&b.replace('_', " "))
}

/// Where the crate is for the code that derives: below `pactolus` for a user, by itself otherwise.
fn root() -> syn::Result<TokenStream> {
    let place = |found: FoundCrate, itself: &str| match found {
        FoundCrate::Itself => Ident::new(itself, Span::call_site()),
        FoundCrate::Name(name) => Ident::new(&name, Span::call_site()),
    };
    if let Ok(found) = crate_name("pactolus") {
        let name = place(found, "pactolus");
        return Ok(quote!(::#name::odb));
    }
    let found = crate_name("pactolus-odb").map_err(|_| {
        syn::Error::new(Span::call_site(), "derive(Record) needs `pactolus` or `pactolus-odb` in Cargo.toml")
    })?;
    let name = place(found, "pactolus_odb");
    Ok(quote!(::#name))
}
