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
                let why =
                    "the name of a key is not empty and holds no slash: write one name, as \"Pedestal\"";
                return Err(syn::Error::new(name.span(), why));
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
                        return Err(syn::Error::new(word.span(), unknown(&word)));
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

/// Words that are known, and those that may have been meant.
fn unknown(word: &Ident) -> String {
    let meant = match word.to_string().to_lowercase().as_str() {
        "def" | "defualt" | "defautl" | "initial" | "value" => Some("default"),
        "minimum" | "low" | "lower" => Some("min"),
        "maximum" | "high" | "upper" => Some("max"),
        "length" | "size" | "count" => Some("len"),
        "bank" | "each" => Some("per"),
        "unit" => {
            return "a unit stands in the documentation of the field, in brackets: /// Gain [MeV/count]"
                .into();
        }
        "name" => {
            return "the name of the key stands first, without a word: #[key(\"Pedestal\", default = 0)]"
                .into();
        }
        other => {
            ["default", "min", "max", "len", "per", "skip"].into_iter().find(|known| known.starts_with(other))
        }
    };
    let meant = meant.map(|meant| format!(": did you mean `{meant}`?")).unwrap_or_default();
    format!("`default`, `min`, `max`, `len`, `per` or `skip` wanted, `{word}` found{meant}")
}
