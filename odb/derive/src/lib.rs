//! `#[derive(Record)]`: a Rust struct kept in step with an ODB directory.
//!
//! The attributes are described at the trait, `pactolus_odb::Record`.

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

mod attribute;
mod expand;
mod field;

/// Makes a struct with named fields a `Record`.
#[proc_macro_derive(Record, attributes(key))]
pub fn record(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::record(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
