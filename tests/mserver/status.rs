//! What the functions of MIDAS return.

use pactolus::odb::Error;

pub const SUCCESS: i32 = 1;
pub const CM_NO_CLIENT: i32 = 103;
pub const CM_WRONG_PASSWORD: i32 = 108;
pub const BM_CREATED: i32 = 202;
pub const BM_INVALID_NAME: i32 = 204;
pub const BM_INVALID_HANDLE: i32 = 205;
pub const BM_NO_SLOT: i32 = 206;
pub const BM_NOT_FOUND: i32 = 208;
pub const BM_ASYNC_RETURN: i32 = 209;
pub const BM_TRUNCATED: i32 = 210;
pub const BM_INVALID_PARAM: i32 = 215;
pub const DB_INVALID_NAME: i32 = 304;
pub const DB_INVALID_HANDLE: i32 = 305;
pub const DB_INVALID_PARAM: i32 = 309;
pub const DB_KEY_EXIST: i32 = 311;
pub const DB_NO_KEY: i32 = 312;
pub const DB_TRUNCATED: i32 = 314;
pub const DB_TYPE_MISMATCH: i32 = 315;
pub const DB_NO_MORE_SUBKEYS: i32 = 316;
pub const DB_NO_ACCESS: i32 = 318;
pub const DB_OPEN_RECORD: i32 = 320;
pub const DB_INVALID_LINK: i32 = 322;

/// What MIDAS would say to an error of our tree.
pub fn of(result: Result<(), Error>) -> i32 {
    match result {
        Ok(()) => SUCCESS,
        Err(Error::NotFound { .. } | Error::NotDirectory { .. }) => DB_NO_KEY,
        Err(Error::Exists { .. }) => DB_KEY_EXIST,
        Err(Error::Protected { .. }) => DB_NO_ACCESS,
        Err(Error::IsDirectory { .. } | Error::Type { .. }) => DB_TYPE_MISMATCH,
        Err(Error::Name { .. }) => DB_INVALID_NAME,
        Err(_) => DB_INVALID_PARAM,
    }
}
