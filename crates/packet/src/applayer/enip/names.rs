//! What numbers of EtherNet/IP and CIP mean (CIP Networks Library), as it is written in logs.

/// Commands (volume 2 section 2-3.2).
pub(super) fn command_name(command: u16) -> Option<&'static str> {
    Some(match command {
        0x00 => "nop",
        0x04 => "list_services",
        0x63 => "list_identity",
        0x64 => "list_interfaces",
        0x65 => "register_session",
        0x66 => "unregister_session",
        0x6f => "send_r_r_data",
        0x70 => "send_unit_data",
        0x72 => "indicate_status",
        0x73 => "cancel",
        _ => return None,
    })
}

/// Status of the encapsulation (volume 2 section 2-3.5).
pub(super) fn status_name(status: u32) -> Option<&'static str> {
    Some(match status {
        0x00 => "success",
        0x01 => "invalid_cmd",
        0x02 => "no_resources",
        0x03 => "incorrect_data",
        0x64 => "invalid_session",
        0x65 => "invalid_length",
        0x69 => "unsupported_prot_rev",
        0x6a => "encap_header_error",
        _ => return None,
    })
}

/// Services (volume 1 appendix A).
pub(super) fn service_name(service: u8) -> Option<&'static str> {
    find(SERVICES, service)
}

/// General status (volume 1 appendix B).
pub(super) fn cip_status_name(status: u8) -> Option<&'static str> {
    find(STATUSES, status)
}

/// Classes of objects (volume 1 chapter 5). Class 0 is none.
pub(super) fn class_name(class: u32) -> Option<&'static str> {
    find(CLASSES, class)
}

/// Types of devices (volume 1 chapter 6).
pub(super) fn device_type_name(kind: u16) -> Option<&'static str> {
    find(DEVICE_TYPES, kind)
}

/// Extended status of the connection manager (volume 1 section 3-5.6).
pub(super) fn extended_status_name(status: u16) -> Option<&'static str> {
    find(EXTENDED_STATUSES, status)
}

/// Looks a number up in a sorted table.
pub(super) fn find<N: Ord + Copy>(table: &[(N, &'static str)], number: N) -> Option<&'static str> {
    let at = table.binary_search_by_key(&number, |(known, _)| *known);
    table.get(at.ok()?).map(|(_, name)| *name)
}

/// Volume 1 appendix A.
const SERVICES: &[(u8, &str)] = &[
    (0x1, "Get Attributes All"),
    (0x2, "Set Attributes All"),
    (0x3, "Get Attribute List"),
    (0x4, "Set Attribute List"),
    (0x5, "Reset"),
    (0x6, "Start"),
    (0x7, "Stop"),
    (0x8, "Create"),
    (0x9, "Delete"),
    (0xa, "Multiple Service Packet"),
    (0xd, "Apply Attributes"),
    (0xe, "Get Attributes Single"),
    (0x10, "Set Attributes Single"),
    (0x11, "Find Next Object Instance"),
    (0x15, "Restore"),
    (0x16, "Save"),
    (0x17, "No Forward Open"),
    (0x18, "Get Member"),
    (0x19, "Set Member"),
    (0x1a, "Insert Member"),
    (0x1b, "Remove Member"),
    (0x1c, "Group Sync"),
    (0x1d, "Get Connection Point Member List"),
    (0x4b, "Execute PCCC Service"),
    (0x4c, "Read Data"),
    (0x4d, "Write Data"),
    (0x4e, "Read Write Modify Data"),
    (0x52, "Read Data Fragmented"),
    (0x53, "Write Data Fragmented"),
    (0x54, "Forward Open"),
];

/// Volume 1 appendix B.
const STATUSES: &[(u8, &str)] = &[
    (0x0, "Success"),
    (0x1, "Connection Failure"),
    (0x2, "Resource Unavailable"),
    (0x3, "Invalid Parameter Value"),
    (0x4, "Path Segment Error"),
    (0x5, "Path Destination Unknown"),
    (0x6, "Partial Transfer"),
    (0x7, "Connection Lost"),
    (0x8, "Service Not Supported"),
    (0x9, "Invalid Attribute Value"),
    (0xa, "Attribute List Error"),
    (0xb, "Already In Requested Mode/State"),
    (0xc, "Object State Conflict"),
    (0xd, "Object Already Exists"),
    (0xe, "Attribute Not Settable"),
    (0xf, "Privilege Violation"),
    (0x10, "Device State Conflict"),
    (0x11, "Reply Data Too Large"),
    (0x12, "Fragmentation Of A Primitive Value"),
    (0x13, "Not Enough Data"),
    (0x14, "Attribute Not Supported"),
    (0x15, "Too Much Data"),
    (0x16, "Object Does Not Exist"),
    (0x17, "Service Fragmentation Sequence Not In Progress"),
    (0x18, "No Stored Attribute Data"),
    (0x19, "Store Operation Failure"),
    (0x1a, "Routing Failure, Request Packet Too Large"),
    (0x1b, "Routing Failure, Response Packet Too Large"),
    (0x1c, "Missing Attribute List Entry Data"),
    (0x1d, "Invalid Attribute Value List"),
    (0x1e, "Embedded Service Error"),
    (0x1f, "Vendor Specific Error"),
    (0x20, "Invalid Parameter"),
    (0x21, "Write-Once Value Or Medium Already Written"),
    (0x22, "Invalid Reply Received"),
    (0x23, "Buffer Overflow"),
    (0x24, "Invalid Message Format"),
    (0x25, "Key Failure In Path"),
    (0x26, "Path Size Invalid"),
    (0x27, "Unexpected Attribute In List"),
    (0x28, "Invalid Member ID"),
    (0x29, "Member Not Settable"),
    (0x2a, "Group 2 Only Server General Failure"),
    (0x2b, "Unknown Modbus Error"),
    (0x2c, "Attribute Not Gettable"),
    (0xff, "Still Processing"),
];

/// Volume 1 chapter 5.
const CLASSES: &[(u32, &str)] = &[
    (0x0, ""),
    (0x1, "Identity"),
    (0x2, "Message Router"),
    (0x3, "DeviceNet"),
    (0x4, "Assembly"),
    (0x5, "Connection"),
    (0x6, "Connection Manager"),
    (0x7, "Register"),
    (0x8, "Discrete Input Point"),
    (0x9, "Discrete Output Point"),
    (0xa, "Analog Input Point"),
    (0xb, "Analog Output Point"),
    (0xe, "Presence Sensing"),
    (0xf, "Parameter"),
    (0x10, "Parameter Group"),
    (0x12, "Group"),
    (0x1d, "Discrete Input Group"),
    (0x1e, "Discrete Output Group"),
    (0x1f, "Discrete Group"),
    (0x20, "Analog Input Group"),
    (0x21, "Analog Output Group"),
    (0x22, "Analog Group"),
    (0x23, "Position Sensor"),
    (0x24, "Position Controller Supervisor"),
    (0x25, "Position Controller"),
    (0x26, "Block Sequencer"),
    (0x27, "Command Block"),
    (0x28, "Motor Data"),
    (0x29, "Control Supervisor"),
    (0x2a, "AC/DC Drive"),
    (0x2b, "Acknowledge Handler"),
    (0x2c, "Overload"),
    (0x2d, "Softstart"),
    (0x2e, "Selection"),
    (0x30, "S-Device Supervisor"),
    (0x31, "S-Analog Sensor"),
    (0x32, "S-Analog Actuator"),
    (0x33, "S-Single Stage Controller"),
    (0x34, "S-Gas Calibration"),
    (0x35, "Trip Point"),
    (0x37, "File"),
    (0x38, "S-Partial Pressure"),
    (0x39, "Safety Supervisor"),
    (0x3a, "Safety Validator"),
    (0x3b, "Safety Discrete Output Point"),
    (0x3c, "Safety Discrete Output Group"),
    (0x3d, "Safety Discrete Input Point"),
    (0x3e, "Safety Discrete Input Group"),
    (0x3f, "Safety Dual Channel Output"),
    (0x40, "S-Sensor Calibration"),
    (0x41, "Event Log"),
    (0x42, "Motion Device Axis"),
    (0x43, "Time Sync"),
    (0x44, "Modbus"),
    (0x45, "Originator Connection List"),
    (0x46, "Modbus Serial Link"),
    (0x47, "Device Level Ring (DLR)"),
    (0x48, "QoS"),
    (0x49, "Safety Analog Input Point"),
    (0x4a, "Safety Analog Input Group"),
    (0x4b, "Safety Dual Channel Analog Input"),
    (0x4c, "SERCOS III Link"),
    (0x4d, "Target Connection List"),
    (0x4e, "Base Energy"),
    (0x4f, "Electrical Energy"),
    (0x50, "Non-Electrical Energy"),
    (0x51, "Base Switch"),
    (0x52, "SNMP"),
    (0x53, "Power Management"),
    (0x54, "RSTP Bridge"),
    (0x55, "RSTP Port"),
    (0x56, "PRP/HSR Protocol"),
    (0x57, "PRP/HSR Nodes Table"),
    (0x58, "Safety Feedback"),
    (0x59, "Safety Dual Channel Feedback"),
    (0x5a, "Safety Stop Functions"),
    (0x5b, "Safety Limit Functions"),
    (0x5c, "Power Curtailment"),
    (0x5d, "CIP Security"),
    (0x5e, "EtherNet/IP Security"),
    (0x5f, "Certificate Management"),
    (0x67, "PCCC Class"),
    (0xf0, "ControlNet"),
    (0xf1, "ControlNet Keeper"),
    (0xf2, "ControlNet Scheduling"),
    (0xf3, "Connection Configuration"),
    (0xf4, "Port"),
    (0xf5, "TCP/IP Interface"),
    (0xf6, "Ethernet Link"),
    (0xf7, "CompoNet"),
];

/// Volume 1 chapter 6.
const DEVICE_TYPES: &[(u16, &str)] = &[
    (0, "Generic Device (deprecated)"),
    (1, "Control Station (deprecated)"),
    (2, "AC Drive Device"),
    (3, "Motor Overload"),
    (4, "Limit Switch"),
    (5, "Inductive Proximity Switch"),
    (6, "Photoelectric Sensor"),
    (7, "General Purpose Discrete I/O"),
    (8, "Encoder (deprecated)"),
    (9, "Resolver"),
    (10, "General Purpose Analog I/O (deprecated)"),
    (12, "Communications Adapter"),
    (13, "Barcode Scanner (deprecated)"),
    (14, "Programmable Logic Controller"),
    (16, "Position Controller"),
    (17, "Weigh Scale (deprecated)"),
    (18, "Message Display (deprecated)"),
    (19, "DC Drive"),
    (20, "Servo Drives (deprecated)"),
    (21, "Contactor"),
    (22, "Motor Starter"),
    (23, "Softstart Starter"),
    (24, "Human-Machine Interface"),
    (25, "Pneumatic Valve(s) (deprecated)"),
    (26, "Mass Flow Controller"),
    (27, "Pneumatic Valve(s)"),
    (28, "Vacuum Pressure Gauge"),
    (29, "Process Control Value"),
    (30, "Residual Gas Analyzer"),
    (31, "DC Power Generator"),
    (32, "RF Power Generator"),
    (33, "Turbomolecular Vacuum Pump"),
    (34, "Encoder"),
    (35, "Safety Discrete I/O Device"),
    (36, "Fluid Flow Controller"),
    (37, "CIP Motion Drive"),
    (38, "CompoNet Repeater"),
    (39, "Mass Flow Controller Enhanced"),
    (40, "CIP Modbus Device"),
    (41, "CIP Modbus Translator"),
    (42, "Safety Analog I/O Device"),
    (43, "Generic Device (keyable)"),
    (44, "Managed Ethernet Switch"),
    (45, "CIP Motion Safety Drive Device"),
    (46, "Safety Drive Device"),
    (47, "CIP Motion Encoder"),
    (48, "CIP Motion Converter"),
    (49, "CIP Motion I/O"),
    (50, "ControlNet Physical Layer Component"),
    (200, "Embedded Component"),
];

/// Volume 1 section 3-5.6.
const EXTENDED_STATUSES: &[(u16, &str)] = &[
    (0x100, "Connection in use or duplicate Forward Open"),
    (
        0x103,
        "Transport class and trigger combination not supported",
    ),
    (0x106, "Ownership conflict"),
    (0x107, "Target connection not found"),
    (0x108, "Invalid network connection parameter"),
    (0x109, "Invalid connection size"),
    (0x110, "Target for connection not configured"),
    (0x111, "RPI not supported"),
    (0x112, "RPI value(s) not acceptable"),
    (0x113, "Out of connections"),
    (0x114, "Vendor ID or product code mismatch"),
    (0x115, "Device type mismatch"),
    (0x116, "Revision mismatch"),
    (0x117, "Invalid produced or consumed application path"),
    (
        0x118,
        "Invalid or inconsistent configuration application path",
    ),
    (0x119, "Non-listen only connection not opened"),
    (0x11a, "Target object out of connections"),
    (0x11b, "RPI is smaller than the production inhibit time"),
    (0x11c, "Transport class not supported"),
    (0x11d, "Production trigger not supported"),
    (0x11e, "Direction not supported"),
    (0x11f, "Invalid O->T Fixed/Variable"),
    (0x120, "Invalid T->O Fixed/Variable"),
    (0x121, "Invalid O->T Priority"),
    (0x122, "Invalid T->O Priority"),
    (0x123, "Invalid O->T connection type"),
    (0x124, "Invalid T->O connection type"),
    (0x125, "Invalid O->T redundant owner"),
    (0x126, "Invalid configuration size"),
    (0x127, "Invalid O->T size"),
    (0x128, "Invalid T->O size"),
    (0x129, "Invalid configuration application path"),
    (0x12a, "Invalid consuming application path"),
    (0x12b, "Invalid producing application path"),
    (0x12c, "Configuration symbol does not exist"),
    (0x12d, "Consuming symbol does not exist"),
    (0x12e, "Producing symbol does not exist"),
    (0x12f, "Inconsistent application path combination"),
    (0x130, "Inconsistent consume data format"),
    (0x131, "Inconsistent produce data format"),
    (0x132, "NULL ForwardOpen not supported"),
    (0x203, "Connection timed out"),
    (0x204, "Unconnected request timed out"),
    (0x205, "Parameter error in unconnected request"),
    (0x206, "Message too large for UnconnectedSend"),
    (0x207, "Unconnected acknowledged without reply"),
    (0x301, "No buffer memory available"),
    (0x302, "Network bandwidth not available for data"),
    (0x303, "No consumed connection ID filter available"),
    (0x304, "Not configured to send scheduled priority data"),
    (0x305, "Schedule signature mismatch"),
    (0x306, "Schedule signature validation not possible"),
    (0x311, "Port not available"),
    (0x312, "Link address not valid"),
    (0x315, "Invalid segment in connection path"),
    (0x316, "ForwardClose connection path mismatch"),
    (0x317, "Scheduling not specified"),
    (0x318, "Link address to self invalid"),
    (0x319, "Secondary resources unavailable"),
    (0x31a, "Rack connection already established"),
    (0x31b, "Module connection already established"),
    (0x31c, "Miscellaneous"),
    (0x31d, "Redundant connection mismatch"),
    (
        0x31e,
        "No more user configurable link consumer resources available in the producing module",
    ),
    (
        0x31f,
        "No more user configurable link consumer resources configured in the producing module",
    ),
    (0x800, "Network link offline"),
    (0x801, "Incompatible Multicast RPI"),
    (0x802, "Invalid Safety Connection Size"),
    (0x803, "Invalid Safety Connection Format"),
    (0x804, "Invalid Time Correction Connection Parameters"),
    (0x805, "Invalid Ping Interval EPI Multiplier"),
    (0x806, "Time Coordination Msg Min Multiplier"),
    (0x807, "Network Time Expectation Multiplier"),
    (0x808, "Timeout Multiplier"),
    (0x809, "Invalid Max Consumer Number"),
    (0x80a, "Invalid CPCRC"),
    (0x80b, "Time Correction Connection ID Invalid"),
    (0x80c, "SCID Mismatch"),
    (0x80d, "TUNID not set"),
    (0x80e, "TUNID Mismatch"),
    (0x80f, "Configuration operation not allowed"),
    (0x810, "No target application data available"),
    (0x811, "No originator application data available"),
    (
        0x812,
        "Node address has changed since the network was scheduled",
    ),
    (0x813, "Not configured for off-subnet multicast"),
    (0x814, "Invalid produce/consume data format"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted() {
        fn check<N: Ord + Copy>(table: &[(N, &'static str)]) {
            assert!(table.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
        check(SERVICES);
        check(STATUSES);
        check(CLASSES);
        check(DEVICE_TYPES);
        check(EXTENDED_STATUSES);
        assert_eq!(class_name(6), Some("Connection Manager"));
        assert_eq!(service_name(0x54), Some("Forward Open"));
    }
}
