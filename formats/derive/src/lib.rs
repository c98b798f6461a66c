//! `#[derive(Bank)]`: a Rust struct as the contents of a STRUCT bank.

use proc_macro::TokenStream;
use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream as Tokens};
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Ident, LitStr, parse_macro_input, spanned::Spanned};

/// Makes a struct of numbers, `bool`s and fixed arrays of them the element type of a STRUCT bank.
/// Members lie as in C. A member is named like its field, or as `#[bank("Name")]` says.
#[proc_macro_derive(Bank, attributes(bank))]
pub fn derive_bank(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

const STRUCTS: &str = "derive(Bank) wants a struct with named fields, one for each member of the bank: \
                       struct Hit { time: f32, channel: u32 }";

/// The path of the formats crate as the user's crate sees it.
fn formats() -> Tokens {
    let named = |found, inner: Tokens| match found {
        FoundCrate::Itself => inner,
        FoundCrate::Name(name) => {
            let name = Ident::new(&name, Span::call_site());
            quote!(::#name)
        }
    };
    if let Ok(found) = crate_name("pactolus") {
        let root = named(found, quote!(::pactolus));
        quote!(#root::formats)
    } else {
        crate_name("pactolus-formats")
            .map_or_else(|_| quote!(::pactolus_formats), |found| named(found, quote!(::pactolus_formats)))
    }
}

fn expand(input: &DeriveInput) -> syn::Result<Tokens> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(input.span(), STRUCTS));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new(input.span(), STRUCTS));
    };
    let formats = formats();
    let name = &input.ident;
    let idents: Vec<_> = fields.named.iter().filter_map(|f| f.ident.as_ref()).collect();
    let types: Vec<_> = fields.named.iter().map(|f| &f.ty).collect();
    let keys = fields.named.iter().map(member_name).collect::<syn::Result<Vec<_>>>()?;
    let count = idents.len();
    let index = 0..count;
    let index2 = 0..count;
    Ok(quote! {
        const _: () = {
            use #formats::{Element, Layout, Member, Order, Tid};
            /// Places of the members, then the size of the whole, by the rules of C.
            const PLACES: [usize; #count + 1] = {
                let sizes = [#(<#types as Member>::SIZE),*];
                let counts = [#(<#types as Member>::COUNT),*];
                let mut places = [0; #count + 1];
                let (mut end, mut align, mut i) = (0usize, 1, 0);
                while i < #count {
                    end = end.next_multiple_of(sizes[i]);
                    places[i] = end;
                    end += sizes[i] * counts[i];
                    if sizes[i] > align { align = sizes[i]; }
                    i += 1;
                }
                places[#count] = end.next_multiple_of(align);
                places
            };
            impl Element for #name {
                const TID: Tid = Tid::Struct;
                const SIZE: usize = PLACES[#count];
                #[inline]
                fn read(bytes: &[u8], order: Order) -> Self {
                    #name { #(#idents: <#types as Member>::read(
                        &bytes[PLACES[#index]..][..<#types as Member>::SIZE * <#types as Member>::COUNT], order)),* }
                }
                #[inline]
                fn write(self, bytes: &mut [u8]) {
                    bytes.fill(0);
                    #(<#types as Member>::write(self.#idents,
                        &mut bytes[PLACES[#index2]..][..<#types as Member>::SIZE * <#types as Member>::COUNT]);)*
                }
                fn layout() -> ::core::option::Option<::std::sync::Arc<Layout>> {
                    let mut layout = Layout::new();
                    #(layout.push(#keys, <#types as Member>::TID, <#types as Member>::COUNT, 0);)*
                    ::core::option::Option::Some(::std::sync::Arc::new(layout))
                }
            }
        };
    })
}

/// The member's name: `#[bank("Name")]`, or the field's.
fn member_name(field: &syn::Field) -> syn::Result<String> {
    for attribute in &field.attrs {
        if attribute.path().is_ident("bank") {
            return Ok(attribute.parse_args::<LitStr>()?.value());
        }
    }
    Ok(field.ident.as_ref().map(ToString::to_string).unwrap_or_default())
}
