//! The numbers with which MIDAS answers.

/// Done.
pub(crate) const SUCCESS: i32 = 1;
/// The password is not the one of the experiment.
pub(crate) const WRONG_PASSWORD: i32 = 108;
/// Done, and it was not there before: a buffer.
pub(crate) const BUFFER_CREATED: i32 = 202;
/// Nothing there, and nobody waits.
pub(crate) const NOTHING: i32 = 209;
/// The event was larger than we have said.
pub(crate) const EVENT_TRUNCATED: i32 = 210;
/// Done, and it was not there before: a key.
pub(crate) const KEY_CREATED: i32 = 302;
/// A handle of a key that is not.
pub(crate) const BAD_HANDLE: i32 = 305;
/// A parameter that the server does not take.
pub(crate) const BAD_PARAMETER: i32 = 309;
/// The key is there already.
pub(crate) const EXISTS: i32 = 311;
/// No such key.
pub(crate) const NO_KEY: i32 = 312;
/// A value was longer than we have said.
pub(crate) const VALUE_TRUNCATED: i32 = 314;
/// The values are of another type.
pub(crate) const WRONG_TYPE: i32 = 315;
/// No more keys in this directory.
pub(crate) const NO_MORE_KEYS: i32 = 316;
/// The access mode of a key forbids it.
pub(crate) const NO_ACCESS: i32 = 318;
/// Somebody watches the key, or one above it.
pub(crate) const IN_USE: i32 = 320;
/// A call that we do not know.
pub(crate) const UNKNOWN_CALL: i32 = 508;

/// Whether a call has done what it was to do. Each kind of call has a number of its own for "made anew".
pub(crate) fn is_success(status: i32) -> bool {
    matches!(status, SUCCESS | BUFFER_CREATED | KEY_CREATED)
}

/// What a number says, and what to do.
pub(crate) fn sentence(status: i32) -> String {
    let text = match status {
        SUCCESS => "done",
        102 => "the ODB has no room",
        103 => "the client is unknown",
        105 => "the experiment is not defined",
        WRONG_PASSWORD => "wrong password",
        110 => "a transition is deferred",
        111 => "a transition is in progress",
        BUFFER_CREATED => "the buffer was created",
        203 => "no memory",
        204 => "a buffer cannot have this name",
        205 => "the buffer handle is not valid",
        206 => "the buffer has no room for another client",
        208 => "not found",
        NOTHING => "nothing there",
        EVENT_TRUNCATED => "the event is larger than asked for",
        212 => "the sizes do not fit",
        215 => "a parameter is wrong (requests for recent events go without a read cache)",
        216 => "there are more events",
        217 => "requests with and without callback in one buffer",
        218 => "no shared memory",
        219 => "the buffer is corrupted; restart the experiment",
        KEY_CREATED => "the key was created",
        303 => "no memory",
        304 => "a key cannot have this name",
        BAD_HANDLE => "the key handle is not valid; the key may have been deleted",
        306 => "the ODB has no room for another client",
        BAD_PARAMETER => "a parameter is wrong",
        310 => "the ODB is full",
        EXISTS => "the key exists already",
        NO_KEY => "no such key",
        313 => "no such key",
        VALUE_TRUNCATED => "the value is longer than asked for",
        WRONG_TYPE => "the type does not fit",
        NO_MORE_KEYS => "no more keys",
        NO_ACCESS => "the access mode of the key forbids it",
        319 => "the size of the structure does not fit",
        IN_USE => "the key is in use: a program watches it, or one above it",
        321 => "the index is out of range",
        323 => "the ODB is corrupted",
        412 => "timeout in the server",
        415 => "aborted in the server",
        502 => "the server has no connection",
        503 => "network error in the server",
        504 => "timeout in the server",
        UNKNOWN_CALL => "the server does not know this call",
        509 => "the server shuts down",
        _ => "the server says no",
    };
    format!("{text} (status {status})")
}
