//! `follow:FILE`, `follow:DIR`, `follow:FAST,SLOW` as inputs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pactolus::{Error, Follow};

/// What stands before the name of what is followed.
pub(crate) const SCHEME: &str = "follow:";

/// What an input says to follow; `None` for one that is a file.
pub(crate) fn parse(input: &Path) -> Option<Result<Follow, Error>> {
    input.to_str()?.strip_prefix(SCHEME).map(named)
}

/// What `FILE`, `DIR` or `FAST,SLOW` means.
pub(crate) fn named(name: &str) -> Result<Follow, Error> {
    // A comma may be part of a name.
    let copies = name.split_once(',').filter(|_| !Path::new(name).exists());
    match copies {
        Some((fast, slow)) => Follow::new(fast).map(|follow| follow.copied_to(slow)),
        None => Follow::new(name),
    }
}

/// Of the names of inputs, what is to be followed: the only one.
pub(crate) fn only<'n>(
    mut names: impl Iterator<Item = &'n PathBuf> + Clone,
    timeout: Option<Duration>,
) -> Result<Option<Follow>, Box<dyn std::error::Error>> {
    let found = names.clone().find_map(|name| parse(name));
    let Some(mut follow) = found.transpose()? else {
        return match timeout {
            Some(_) => Err("--live-timeout is for an input that is followed, as follow:/data".into()),
            None => Ok(None),
        };
    };
    if names.nth(1).is_some() {
        return Err("what is followed is the only input: leave the others out".into());
    }
    follow.timeout = timeout.or(follow.timeout);
    Ok(Some(follow))
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
