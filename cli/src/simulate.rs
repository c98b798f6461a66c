use std::io::Write;
#[derive(clap::Args)]
pub(crate) struct SimulateArgs {}
pub(crate) fn run(_: &SimulateArgs, _: &mut dyn Write, _: &mut dyn Write) -> crate::Outcome {
    Ok(0)
}
