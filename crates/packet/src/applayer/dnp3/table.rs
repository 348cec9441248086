//! What the objects of DNP3 hold: IEEE 1815 annex A, as the public object list has it.

use super::layout::Length::{Of, Rest};
use super::layout::Part::{self, Bits, Code, Data, Float, Packed, Signed, Text, Unsigned};

/// Group, variation and what a point of it holds, sorted.
pub(super) const OBJECTS: &[(u8, u8, &[Part])] = &[
    (1, 1, &[Packed("state", 1)]),
    (1, 2, &[BINARY]),
    (2, 1, &[Unsigned("state", 1)]),
    (2, 2, &[BINARY, TIME]),
    (2, 3, &[BINARY, Unsigned("timestamp", 2)]),
    (3, 1, &[Packed("state", 2)]),
    (3, 2, &[DOUBLE]),
    (4, 1, &[DOUBLE]),
    (4, 2, &[DOUBLE, TIME]),
    (4, 3, &[DOUBLE, Unsigned("relative_time_ms", 2)]),
    (10, 1, &[Packed("state", 1)]),
    (10, 2, &[OUTPUT]),
    (11, 1, &[OUTPUT]),
    (11, 2, &[OUTPUT, TIME]),
    (12, 1, &[OPERATION, Unsigned("count", 1), Unsigned("ontime", 4), Unsigned("offtime", 4), OPERATION_STATUS]),
    (12, 2, &[OPERATION, Unsigned("count", 1), Unsigned("ontime", 4), Unsigned("offtime", 4), OPERATION_STATUS]),
    (12, 3, &[Packed("point", 1)]),
    (13, 1, &[COMMANDED]),
    (13, 2, &[COMMANDED, TIME]),
    (20, 1, &[COUNTER, COUNT_U32]),
    (20, 2, &[COUNTER, COUNT_U16]),
    (20, 3, &[COUNTER_NO_DISCONTINUITY, COUNT_U32]),
    (20, 4, &[COUNTER_NO_DISCONTINUITY, COUNT_U16]),
    (20, 5, &[COUNT_U32]),
    (20, 6, &[COUNT_U16]),
    (20, 7, &[COUNT_U32]),
    (20, 8, &[COUNT_U16]),
    (21, 1, &[COUNTER, COUNT_U32]),
    (21, 2, &[COUNTER, COUNT_U16]),
    (21, 3, &[COUNTER_NO_DISCONTINUITY, COUNT_U32]),
    (21, 4, &[COUNTER_NO_DISCONTINUITY, COUNT_U16]),
    (21, 5, &[COUNTER_DELTA, COUNT_U32, TIME]),
    (21, 6, &[COUNTER_DELTA, COUNT_U16, TIME]),
    (21, 7, &[COUNTER_NO_DISCONTINUITY, COUNT_U32, TIME]),
    (21, 8, &[COUNTER_NO_DISCONTINUITY, COUNT_U16, TIME]),
    (21, 9, &[COUNT_U32]),
    (21, 10, &[COUNT_U16]),
    (21, 11, &[COUNT_U32]),
    (21, 12, &[COUNT_U16]),
    (22, 1, &[COUNTER, COUNT_U32]),
    (22, 2, &[COUNTER, COUNT_U16]),
    (22, 3, &[COUNTER_NO_DISCONTINUITY, COUNT_U32]),
    (22, 4, &[COUNTER_NO_DISCONTINUITY, COUNT_U16]),
    (22, 5, &[COUNTER_NO_DISCONTINUITY, COUNT_U32, TIME]),
    (22, 6, &[COUNTER, COUNT_U16, TIME]),
    (22, 7, &[COUNTER_NO_DISCONTINUITY, COUNT_U32, TIME]),
    (22, 8, &[COUNTER_NO_DISCONTINUITY, COUNT_U16, TIME]),
    (23, 1, &[COUNTER, COUNT_U32]),
    (23, 2, &[COUNTER_NO_DISCONTINUITY, COUNT_U16]),
    (23, 3, &[COUNTER_NO_DISCONTINUITY, COUNT_U32]),
    (23, 4, &[COUNTER_NO_DISCONTINUITY, COUNT_U16]),
    (23, 5, &[COUNTER, COUNT_U32, TIME]),
    (23, 6, &[COUNTER, COUNT_U16, TIME]),
    (23, 7, &[COUNTER_NO_DISCONTINUITY, COUNT_U32, TIME]),
    (23, 8, &[COUNTER_NO_DISCONTINUITY, COUNT_U16, TIME]),
    (30, 1, &[ANALOG, VALUE_I32]),
    (30, 2, &[ANALOG, VALUE_I16]),
    (30, 3, &[VALUE_I32]),
    (30, 4, &[VALUE_I16]),
    (30, 5, &[ANALOG, VALUE_F32]),
    (30, 6, &[ANALOG, VALUE_F64]),
    (31, 1, &[ANALOG, VALUE_I32]),
    (31, 2, &[ANALOG, VALUE_I16]),
    (31, 3, &[ANALOG, VALUE_I32, TIME]),
    (31, 4, &[ANALOG, VALUE_I16, TIME]),
    (31, 5, &[VALUE_I32]),
    (31, 6, &[VALUE_I16]),
    (31, 7, &[ANALOG, VALUE_F32]),
    (31, 8, &[ANALOG, VALUE_F64]),
    (32, 1, &[ANALOG, VALUE_I32]),
    (32, 2, &[ANALOG, VALUE_I16]),
    (32, 3, &[ANALOG, VALUE_I32, TIME]),
    (32, 4, &[ANALOG, VALUE_I16, TIME]),
    (32, 5, &[ANALOG, VALUE_F32]),
    (32, 6, &[ANALOG, VALUE_F64]),
    (32, 7, &[ANALOG, VALUE_F32, TIME]),
    (32, 8, &[ANALOG, VALUE_F64, TIME]),
    (33, 1, &[ANALOG, VALUE_I32]),
    (33, 2, &[ANALOG, VALUE_I16]),
    (33, 3, &[ANALOG, VALUE_I32, TIME]),
    (33, 4, &[ANALOG, VALUE_I16, TIME]),
    (33, 5, &[ANALOG, VALUE_F32]),
    (33, 6, &[ANALOG, VALUE_F64]),
    (33, 7, &[ANALOG, VALUE_F32, TIME]),
    (33, 8, &[ANALOG, VALUE_F64, TIME]),
    (34, 1, &[Unsigned("deadband_value", 2)]),
    (34, 2, &[Unsigned("deadband_value", 4)]),
    (34, 3, &[Float("deadband_value", 4)]),
    (40, 1, &[ANALOG, VALUE_I32]),
    (40, 2, &[ANALOG, VALUE_I16]),
    (40, 3, &[ANALOG, VALUE_F32]),
    (40, 4, &[ANALOG, VALUE_F64]),
    (41, 1, &[VALUE_I32, Unsigned("control_status", 1)]),
    (41, 2, &[VALUE_I16, Unsigned("control_status", 1)]),
    (41, 3, &[VALUE_F32, Unsigned("control_status", 1)]),
    (41, 4, &[VALUE_F64, Unsigned("control_status", 1)]),
    (42, 1, &[ANALOG, VALUE_I32]),
    (42, 2, &[ANALOG, VALUE_I16]),
    (42, 3, &[ANALOG, VALUE_I32, TIME]),
    (42, 4, &[ANALOG, VALUE_I16, TIME]),
    (42, 5, &[ANALOG, VALUE_F32]),
    (42, 6, &[ANALOG, VALUE_F64]),
    (42, 7, &[ANALOG, VALUE_F32, TIME]),
    (42, 8, &[ANALOG, VALUE_F64, TIME]),
    (43, 1, &[ANALOG_COMMANDED, Signed("commanded_value", 4)]),
    (43, 2, &[ANALOG_COMMANDED, Signed("commanded_value", 2)]),
    (43, 3, &[ANALOG_COMMANDED, Signed("commanded_value", 4), TIME]),
    (43, 4, &[ANALOG_COMMANDED, Signed("commanded_value", 2), TIME]),
    (43, 5, &[ANALOG_COMMANDED, Float("commanded_value", 4)]),
    (43, 6, &[ANALOG_COMMANDED, Float("commanded_value", 8)]),
    (43, 7, &[ANALOG_COMMANDED, Float("commanded_value", 4), TIME]),
    (43, 8, &[ANALOG_COMMANDED, Float("commanded_value", 8), TIME]),
    (50, 1, &[TIME]),
    (50, 2, &[TIME, Unsigned("interval", 4)]),
    (50, 3, &[TIME]),
    (50, 4, &[TIME, Unsigned("interval_count", 4), Unsigned("interval_units", 1)]),
    (51, 1, &[TIME]),
    (51, 2, &[TIME]),
    (52, 1, &[Unsigned("delay_secs", 2)]),
    (52, 2, &[Unsigned("delay_ms", 2)]),
    (70, 1, &[Unsigned("filename_size", 2), Unsigned("filetype_code", 1), Unsigned("attribute_code", 1), Unsigned("start_record", 2), Unsigned("end_record", 2), Unsigned("file_size", 4), Unsigned("created_timestamp", 6), Unsigned("permission", 2), Unsigned("file_id", 4), Unsigned("owner_id", 4), Unsigned("group_id", 4), Unsigned("file_function_code", 1), Unsigned("status_code", 1), Text("filename", Of("filename_size")), Unsigned("data_size", 2), Text("data", Of("data_size"))]),
    (70, 2, &[Unsigned("username_offset", 2), Unsigned("username_size", 2), Unsigned("password_offset", 2), Unsigned("password_size", 2), Unsigned("authentication_key", 4), Text("username", Of("username_size")), Text("password", Of("password_size"))]),
    (70, 3, &[Unsigned("filename_offset", 2), Unsigned("filename_size", 2), Unsigned("created", 6), Unsigned("permissions", 2), Unsigned("authentication_key", 4), Unsigned("file_size", 4), Unsigned("operational_mode", 2), Unsigned("maximum_block_size", 2), Unsigned("request_id", 2), Text("filename", Of("filename_size"))]),
    (70, 4, &[Unsigned("file_handle", 4), Unsigned("file_size", 4), Unsigned("maximum_block_size", 2), Unsigned("request_id", 2), Unsigned("status_code", 1), Text("optional_text", Rest)]),
    (70, 5, &[Unsigned("file_handle", 4), Unsigned("block_number", 4), Text("file_data", Rest)]),
    (70, 6, &[Unsigned("file_handle", 4), Unsigned("block_number", 4), Unsigned("status_code", 1), Text("optional_text", Rest)]),
    (70, 7, &[Unsigned("filename_offset", 2), Unsigned("filename_size", 2), Unsigned("file_type", 2), Unsigned("file_size", 4), Unsigned("created_timestamp", 6), Unsigned("permissions", 2), Unsigned("request_id", 2), Text("filename", Of("filename_size"))]),
    (70, 8, &[Text("file_specification", Rest)]),
    (80, 1, &[Packed("state", 1)]),
    (81, 1, &[BUFFER, Unsigned("group", 1), Unsigned("variation", 1)]),
    (83, 1, &[Code("data->vendor_code", 4), Unsigned("object_id", 2), Unsigned("length", 2), Data("data->data_objects", Of("length"))]),
    (86, 2, &[DEFINITION]),
    (102, 1, &[Unsigned("value", 1)]),
    (120, 1, &[Unsigned("csq", 4), Unsigned("usr", 2), Unsigned("mal", 1), Unsigned("reason", 1), Data("data->challenge_data", Rest)]),
    (120, 2, &[Unsigned("csq", 4), Unsigned("usr", 2), Data("data->mac_value", Rest)]),
    (120, 3, &[Unsigned("csq", 4), Unsigned("user_number", 2)]),
    (120, 4, &[Unsigned("user_number", 2)]),
    (120, 5, &[Unsigned("ksq", 4), Unsigned("user_number", 2), Unsigned("key_wrap_alg", 1), Unsigned("key_status", 1), Unsigned("mal", 1), Unsigned("challenge_data_len", 2), Data("data->challenge_data", Of("challenge_data_len")), Data("data->mac_value", Rest)]),
    (120, 6, &[Unsigned("ksq", 3), Unsigned("usr", 2), Data("data->wrapped_key_data", Rest)]),
    (120, 7, &[Unsigned("sequence_number", 4), Unsigned("usr", 2), Unsigned("association_id", 2), Unsigned("error_code", 1), Unsigned("time_of_error", 6), Text("error_text", Rest)]),
    (120, 8, &[Unsigned("key_change_method", 1), Unsigned("certificate_type", 1), Data("data->certificate", Rest)]),
    (120, 9, &[Data("data->mac_value", Rest)]),
    (120, 10, &[Unsigned("key_change_method", 1), Unsigned("operation", 1), Unsigned("scs", 4), Unsigned("user_role", 2), Unsigned("user_role_expiry_interval", 2), Unsigned("username_len", 2), Unsigned("user_public_key_len", 2), Unsigned("certification_data_len", 2), Text("username", Of("username_len")), Data("data->user_public_key", Of("user_public_key_len")), Data("data->certification_data", Of("certification_data_len"))]),
    (120, 11, &[Unsigned("key_change_method", 1), Unsigned("username_len", 2), Unsigned("master_challenge_data_len", 2), Text("username", Of("username_len")), Data("data->master_challenge_data", Of("master_challenge_data_len"))]),
    (120, 12, &[Unsigned("ksq", 4), Unsigned("user_number", 2), Unsigned("challenge_data_len", 2), Data("data->challenge_data", Of("challenge_data_len"))]),
    (120, 13, &[Unsigned("ksq", 4), Unsigned("user_number", 2), Unsigned("encrypted_update_key_len", 2), Data("data->encrypted_update_key_data", Of("encrypted_update_key_len"))]),
    (120, 14, &[Data("data->digital_signature", Rest)]),
    (120, 15, &[Data("data->mac", Rest)]),
    (121, 1, &[SECURITY, Unsigned("association_id", 2), Unsigned("count_value", 4)]),
    (122, 1, &[SECURITY, Unsigned("association_id", 2), Unsigned("count_value", 4)]),
    (122, 2, &[SECURITY, Unsigned("association_id", 2), Unsigned("count_value", 4), TIME]),
];

const TIME: Part = Unsigned("timestamp", 6);
const VALUE_I32: Part = Signed("value", 4);
const VALUE_I16: Part = Signed("value", 2);
const VALUE_F32: Part = Float("value", 4);
const VALUE_F64: Part = Float("value", 8);
const COUNT_U32: Part = Unsigned("count", 4);
const COUNT_U16: Part = Unsigned("count", 2);

const BINARY: Part = Bits(&[
    ("online", 1),
    ("restart", 1),
    ("comm_lost", 1),
    ("remote_forced", 1),
    ("local_forced", 1),
    ("chatter_filter", 1),
    ("reserved", 1),
    ("state", 1),
]);

const DOUBLE: Part = Bits(&[
    ("online", 1),
    ("restart", 1),
    ("comm_lost", 1),
    ("remote_forced", 1),
    ("local_forced", 1),
    ("chatter_filter", 1),
    ("state", 2),
]);

const OUTPUT: Part = Bits(&[
    ("online", 1),
    ("restart", 1),
    ("comm_lost", 1),
    ("remote_forced", 1),
    ("local_forced", 1),
    ("reserved0", 1),
    ("reserved1", 1),
    ("state", 1),
]);

const OPERATION: Part = Bits(&[
    ("op_type", 4),
    ("qu", 1),
    ("cr", 1),
    ("tcc", 2),
]);

const OPERATION_STATUS: Part = Bits(&[
    ("status_code", 7),
    ("reserved", 1),
]);

const COMMANDED: Part = Bits(&[
    ("status_code", 7),
    ("commanded_state", 1),
]);

const COUNTER: Part = Bits(&[
    ("online", 1),
    ("restart", 1),
    ("comm_lost", 1),
    ("remote_forced", 1),
    ("local_forced", 1),
    ("rollover", 1),
    ("discontinuity", 1),
    ("reserved0", 1),
]);

const COUNTER_NO_DISCONTINUITY: Part = Bits(&[
    ("online", 1),
    ("restart", 1),
    ("comm_lost", 1),
    ("remote_forced", 1),
    ("local_forced", 1),
    ("rollover", 1),
    ("reserved0", 1),
    ("reserved1", 1),
]);

const COUNTER_DELTA: Part = Bits(&[
    ("online", 1),
    ("restart", 1),
    ("comm_lost", 1),
    ("remote_forced", 1),
    ("local_forced", 1),
    ("rollover", 1),
    ("discontinuity", 1),
    ("reserved1", 1),
]);

const ANALOG: Part = Bits(&[
    ("online", 1),
    ("restart", 1),
    ("comm_lost", 1),
    ("remote_forced", 1),
    ("local_forced", 1),
    ("over_range", 1),
    ("reference_err", 1),
    ("reserved0", 1),
]);

const ANALOG_COMMANDED: Part = Bits(&[
    ("status_code", 7),
    ("reserved0", 1),
]);

const BUFFER: Part = Bits(&[
    ("fill_percentage", 7),
    ("overflow_state", 1),
]);

const DEFINITION: Part = Bits(&[
    ("rd", 1),
    ("wr", 1),
    ("st", 1),
    ("ev", 1),
    ("df", 1),
    ("padding0", 1),
    ("padding1", 1),
    ("padding2", 1),
]);

const SECURITY: Part = Bits(&[
    ("online", 1),
    ("restart", 1),
    ("comm_lost", 1),
    ("remote_forced", 1),
    ("local_forced", 1),
    ("reserved0", 1),
    ("discontinuity", 1),
    ("reserved1", 1),
]);
