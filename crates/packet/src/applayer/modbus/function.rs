//! Function codes (MODBUS Application Protocol V1.1b3 section 5), and what they are called in logs.

/// Name of a function, and what it touches.
pub(super) fn function(code: u8) -> (&'static str, &'static str) {
    match code & 0x7f {
        1 => ("RdCoils", "READ | COILS"),
        2 => ("RdDiscreteInputs", "READ | DISCRETES"),
        3 => ("RdHoldRegs", "READ | HOLDING"),
        4 => ("RdInputRegs", "READ | INPUT"),
        5 => ("WrSingleCoil", "WRITE | COILS | SINGLE | WRITE_SINGLE"),
        6 => ("WrSingleReg", "WRITE | HOLDING | SINGLE | WRITE_SINGLE"),
        7 => ("RdExcStatus", "NONE"),
        8 => ("Diagnostic", "NONE"),
        9 => ("Program484", "NONE"),
        10 => ("Poll484", "NONE"),
        11 => ("GetCommEventCtr", "NONE"),
        12 => ("GetCommEventLog", "NONE"),
        13 => ("ProgramController", "NONE"),
        14 => ("PollController", "NONE"),
        15 => ("WrMultCoils", "WRITE | COILS | MULTIPLE | WRITE_MULTIPLE"),
        16 => ("WrMultRegs", "WRITE | HOLDING | MULTIPLE | WRITE_MULTIPLE"),
        17 => ("ReportServerID", "NONE"),
        18 => ("Program884", "NONE"),
        19 => ("ResetCommLink", "NONE"),
        20 => ("RdFileRec", "NONE"),
        21 => ("WrFileRec", "NONE"),
        22 => ("MaskWrReg", "WRITE | HOLDING"),
        23 => (
            "RdWrMultRegs",
            "READ | WRITE | HOLDING | MULTIPLE | WRITE_MULTIPLE",
        ),
        24 => ("RdFIFOQueue", "NONE"),
        43 => ("MEI", "NONE"),
        _ => ("Unknown", "NONE"),
    }
}

/// To whom a function code belongs; `sub` is the sub-function, where it has some.
pub(super) fn category(code: u8, sub: Option<u16>) -> &'static str {
    match (code & 0x7f, code >= 0x80, sub) {
        (8, _, Some(0..=4 | 10..=21)) | (43, _, Some(13 | 14)) => "PUBLIC_ASSIGNED",
        (8 | 43, _, Some(_)) => "RESERVED",
        (8 | 43, _, None) | (0, _, _) => "NONE",
        (1..=24, _, _) => "PUBLIC_ASSIGNED",
        (_, true, _) => "NONE",
        (41 | 42 | 90 | 91 | 125..=127, _, _) => "RESERVED",
        (65..=72 | 100..=110, _, _) => "USER_DEFINED",
        _ => "PUBLIC_UNASSIGNED",
    }
}

/// Sub-functions of diagnostics (section 6.8).
pub(super) fn diagnostic(sub: u16) -> &'static str {
    match sub {
        0 => "RetQueryData",
        1 => "RestartCommOpt",
        2 => "RetDiagReg",
        3 => "ChangeInputDelimiter",
        4 => "ForceListenOnlyMode",
        10 => "ClearCtrDiagReg",
        11 => "RetBusMsgCount",
        12 => "RetBusCommErrCount",
        13 => "RetBusExcErrCount",
        14 => "RetServerMsgCount",
        15 => "RetServerNoRespCount",
        16 => "RetServerNAKCount",
        17 => "RetServerBusyCount",
        18 => "RetBusCharOverrunCount",
        19 => "RetOverrunErrCount",
        20 => "ClearOverrunCounterFlag",
        21 => "GetClearPlusStats",
        _ => "Reserved",
    }
}

/// Types of encapsulated interfaces (section 6.19).
pub(super) fn interface(kind: u8) -> &'static str {
    match kind {
        13 => "CANOpenGenRefReqResp",
        14 => "RdDevId",
        _ => "Unknown",
    }
}

/// Codes of exceptions (section 7).
pub(super) fn exception(code: u8) -> &'static str {
    match code {
        1 => "IllegalFunction",
        2 => "IllegalDataAddr",
        3 => "IllegalDataValue",
        4 => "ServerDeviceFail",
        5 => "Ack",
        6 => "ServerDeviceBusy",
        7 => "NegAck",
        8 => "MemParityErr",
        10 => "GatewayPathUnavailable",
        11 => "GatewayTargetFailToResp",
        _ => "Unknown",
    }
}
