//! `#[key("Name", default = 0, min = .., max = .., len = .., per = BANK)]` and `#[key(skip)]`.

use syn::parse::{Parse, ParseStream};
use syn::{Expr, Ident, LitStr, Token};

/// What the attribute says; everything may be missing.
#[derive(Default)]
pub(crate) struct KeyAttribute {
    pub(crate) name: Option<LitStr>,
    pub(crate) skip: bool,
    pub(crate) default: Option<Expr>,
    pub(crate) min: Option<Expr>,
    pub(crate) max: Option<Expr>,
    pub(crate) len: Option<Expr>,
    pub(crate) per: Option<Expr>,
}

impl Parse for KeyAttribute {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut key = KeyAttribute::default();
        if input.peek(LitStr) {
            let name: LitStr = input.parse()?;
            if name.value().is_empty() || name.value().contains('/') {
                return Err(syn::Error::new(
                    name.span(),
                    "the name of a key is not empty and holds no slash",
                ));
            }
            key.name = Some(name);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        while !input.is_empty() {
            let word: Ident = input.parse()?;
            if word == "skip" {
                key.skip = true;
            } else {
                let place = match word.to_string().as_str() {
                    "default" => &mut key.default,
                    "min" => &mut key.min,
                    "max" => &mut key.max,
                    "len" => &mut key.len,
                    "per" => &mut key.per,
                    _ => {
                        let known = "`default`, `min`, `max`, `len`, `per` or `skip` expected";
                        return Err(syn::Error::new(word.span(), known));
                    }
                };
                input.parse::<Token![=]>()?;
                if place.replace(input.parse()?).is_some() {
                    return Err(syn::Error::new(word.span(), format!("`{word}` stands here twice")));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(key)
    }
}
