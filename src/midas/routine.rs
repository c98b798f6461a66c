//! The routines of mserver that we call; what is not here is never called.

use super::wire::Routine;

macro_rules! routines {
    ($($constant:ident = $id:literal $name:literal;)*) => {
        $(pub(crate) const $constant: Routine = Routine { id: $id, name: $name };)*
    };
}

routines! {
    SET_CLIENT_INFO = 11000 "cm_set_client_info";
    SET_WATCHDOG = 11001 "cm_set_watchdog_params";
    TIME = 11008 "cm_time";
    MESSAGE = 11009 "cm_msg";
    OPEN_BUFFER = 11100 "bm_open_buffer";
    BUFFER_LEVEL = 11104 "bm_get_buffer_level";
    SET_CACHE = 11106 "bm_set_cache_size";
    ADD_REQUEST = 11107 "bm_add_event_request";
    RECEIVE = 11111 "bm_receive_event";
    OPEN_DATABASE = 11200 "db_open_database";
    CREATE_KEY = 11203 "db_create_key";
    CREATE_LINK = 11204 "db_create_link";
    SET_VALUE = 11205 "db_set_value";
    FIND_KEY = 11207 "db_find_key";
    FIND_LINK = 11208 "db_find_link";
    DELETE_KEY = 11210 "db_delete_key";
    GET_DATA = 11213 "db_get_data";
    SET_DATA = 11214 "db_set_data";
    SET_DATA_INDEX = 11215 "db_set_data_index";
    SET_MODE = 11216 "db_set_mode";
    ADD_OPEN_RECORD = 11222 "db_add_open_record";
    REMOVE_OPEN_RECORD = 11223 "db_remove_open_record";
    RENAME_KEY = 11227 "db_rename_key";
    ENUM_LINK = 11228 "db_enum_link";
    REORDER_KEY = 11229 "db_reorder_key";
    SET_NUM_VALUES = 11239 "db_set_num_values";
    GET_LINK = 11242 "db_get_link";
    GET_LINK_DATA = 11243 "db_get_link_data";
    EXIT = 99999 "id_exit";
}
