use std::io::Write;
#[derive(clap::Args)]
pub(crate) struct DumpArgs {}
pub(crate) fn run(_: &DumpArgs, _: &mut dyn Write, _: &mut dyn Write) -> crate::Outcome {
    Ok(0)
}
