//! `follow:FILE`, `follow:DIR`, `follow:FAST,SLOW` as inputs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pactolus::{Error, Follow, directory_of, has_run};

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
        Some((fast, slow)) => {
            check(fast)?;
            check(slow)?;
            Follow::new(fast).map(|follow| follow.copied_to(slow))
        }
        None => check(name).and_then(|()| Follow::new(name)),
    }
}

/// Refuses a name that was meant for the shell, which does not look behind `follow:`, and none.
fn check(name: &str) -> Result<(), Error> {
    let path = Path::new(name);
    let refuse = |why: String| Err(Error::Job(format!("cannot follow {name}: {why}")));
    if name.is_empty() {
        return Err(Error::Job("cannot follow what has no name: a file or a directory wanted".into()));
    }
    if path.exists() {
        return Ok(());
    }
    if name.starts_with('~') {
        return refuse("~ is not expanded behind follow:, write $HOME/data".into());
    }
    // What is there may have such a name.
    let is_pattern = |part: &Path| {
        let text = part.to_string_lossy();
        !part.exists() && (text.contains(['*', '?', '[', '{']) || has_run(&text))
    };
    let last = path.file_name().map(Path::new).unwrap_or(path);
    let parent = directory_of(path);
    if is_pattern(last) || is_pattern(parent) {
        let directory = if is_pattern(parent) { Path::new("/data") } else { parent };
        return refuse(format!(
            "a pattern is not followed: name one file, or the directory, as follow:{}",
            directory.display()
        ));
    }
    Ok(())
}

/// Of the names of inputs, what is to be followed: the only one.
pub(crate) fn only<'n>(
    mut names: impl Iterator<Item = &'n PathBuf> + Clone,
    timeout: Option<Duration>,
) -> Result<Option<Follow>, Box<dyn std::error::Error>> {
    let found = names.clone().find_map(|name| parse(name));
    let Some(mut follow) = found.transpose()? else {
        return match timeout {
            Some(_) => Err(
                "--live-timeout is for an input that is live, as follow:/data, midas://daq/lxe or shm:lxe"
                    .into(),
            ),
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
    let number = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    number.ok_or_else(|| "a number of seconds wanted, as 30 or 0.5, or 0".to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_may_be_none_where_that_means_something() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds_or_none("0.5"), Ok(Duration::from_millis(500)));
        for none in ["0", "0.0", "-0"] {
            assert!(seconds(none).unwrap_err().contains("above 0"));
            assert_eq!(seconds_or_none(none), Ok(Duration::ZERO), "{none}");
        }
        for wrong in ["nan", "inf", "-1", "1e300", "", "5s"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
            assert!(!seconds_or_none(wrong).unwrap_err().contains("above"), "{wrong}");
        }
    }
}
