//! `follow:FILE`, `follow:DIR`, `follow:FAST,SLOW` as inputs.

use std::path::Path;
use std::time::Duration;

use pactolus::{Error, Follow};

/// What stands before the name of what is followed.
pub(crate) const SCHEME: &str = "follow:";

/// What an input says to follow; `None` for one that is a file.
pub(crate) fn parse(input: &Path) -> Option<Result<Follow, Error>> {
    let name = input.to_str()?.strip_prefix(SCHEME)?;
    // A comma may be part of a name.
    let copies = name.split_once(',').filter(|_| !Path::new(name).exists());
    Some(match copies {
        Some((fast, slow)) => Follow::new(fast).map(|follow| follow.copied_to(slow)),
        None => Follow::new(name),
    })
}

/// A time in seconds, perhaps none.
pub(crate) fn seconds_or_none(text: &str) -> Result<Duration, String> {
    if text == "0" { Ok(Duration::ZERO) } else { seconds(text) }
}

/// A time in seconds.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let wanted = "a number of seconds above 0 wanted, as 120 or 0.5";
    let seconds: f64 = text.parse().map_err(|_| wanted.to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err(wanted.to_owned()),
    }
}
