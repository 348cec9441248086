//! ONNX files written field by field, also those that no library would write.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "tests; each takes what it needs"
)]

/// A message being written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message(pub(crate) Vec<u8>);

impl Message {
    fn key(&mut self, number: u64, wire: u64) {
        self.number(number << 3 | wire);
    }

    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
            value >>= 7;
        }
        self.0.push(u8::try_from(value).unwrap());
    }

    pub(crate) fn int(mut self, number: u64, value: i64) -> Self {
        self.key(number, 0);
        self.number(value.cast_unsigned());
        self
    }

    pub(crate) fn float(mut self, number: u64, value: f32) -> Self {
        self.key(number, 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn bytes(mut self, number: u64, bytes: &[u8]) -> Self {
        self.key(number, 2);
        self.number(u64::try_from(bytes.len()).unwrap());
        self.0.extend(bytes);
        self
    }

    pub(crate) fn text(self, number: u64, text: &str) -> Self {
        self.bytes(number, text.as_bytes())
    }

    pub(crate) fn message(self, number: u64, message: &Self) -> Self {
        self.bytes(number, &message.0)
    }

    pub(crate) fn floats(self, number: u64, list: &[f32]) -> Self {
        let bytes: Vec<u8> = list.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.bytes(number, &bytes)
    }
}

pub(crate) fn message() -> Message {
    Message::default()
}

/// A float tensor in `float_data`.
pub(crate) fn tensor(name: &str, dims: &[i64], list: &[f32]) -> Message {
    let head = dims
        .iter()
        .fold(message(), |tensor, dim| tensor.int(1, *dim));
    head.int(2, 1).floats(4, list).text(8, name)
}

/// An int64 tensor in `int64_data`.
pub(crate) fn integers(name: &str, dims: &[i64], list: &[i64]) -> Message {
    let head = dims
        .iter()
        .fold(message(), |tensor, dim| tensor.int(1, *dim));
    let head = list
        .iter()
        .fold(head.int(2, 7), |tensor, value| tensor.int(7, *value));
    head.text(8, name)
}

/// A value of type 1 (float32) or 7 (int64); a size of 0 is the batch.
pub(crate) fn value(name: &str, kind: i64, dims: &[i64]) -> Message {
    let shape = dims.iter().fold(message(), |shape, dim| {
        let one = match dim {
            0 => message().text(2, "N"),
            size => message().int(1, *size),
        };
        shape.message(1, &one)
    });
    let kind = message().int(1, kind).message(2, &shape);
    message()
        .text(1, name)
        .message(2, &message().message(1, &kind))
}

pub(crate) fn node(operator: &str, inputs: &[&str], outputs: &[&str]) -> Message {
    let node = inputs
        .iter()
        .fold(message(), |node, name| node.text(1, name));
    let node = outputs.iter().fold(node, |node, name| node.text(2, name));
    node.text(4, operator)
}

pub(crate) fn ml_node(operator: &str, inputs: &[&str], outputs: &[&str]) -> Message {
    node(operator, inputs, outputs).text(7, "ai.onnx.ml")
}

/// Adds an attribute to a node.
pub(crate) fn with(node: Message, attribute: &Message) -> Message {
    node.message(5, attribute)
}

pub(crate) fn int(name: &str, value: i64) -> Message {
    message().text(1, name).int(3, value).int(20, 2)
}

pub(crate) fn ints(name: &str, list: &[i64]) -> Message {
    let named = message().text(1, name);
    list.iter()
        .fold(named, |one, value| one.int(8, *value))
        .int(20, 7)
}

pub(crate) fn floats(name: &str, list: &[f32]) -> Message {
    let named = message().text(1, name);
    list.iter()
        .fold(named, |one, value| one.float(7, *value))
        .int(20, 6)
}

pub(crate) fn texts(name: &str, list: &[&str]) -> Message {
    let named = message().text(1, name);
    list.iter()
        .fold(named, |one, text| one.text(9, text))
        .int(20, 8)
}

/// A graph of nodes, constants, inputs and outputs.
pub(crate) fn graph(parts: [&[Message]; 4]) -> Message {
    let numbers = [1, 5, 11, 12];
    parts
        .iter()
        .zip(numbers)
        .fold(message(), |graph, (list, number)| {
            list.iter()
                .fold(graph, |graph, part| graph.message(number, part))
        })
}

pub(crate) fn file(graph: &Message) -> Message {
    let opset = |domain, version| message().text(1, domain).int(2, version);
    message()
        .int(1, 8)
        .message(7, graph)
        .message(8, &opset("", 17))
        .message(8, &opset("ai.onnx.ml", 3))
}

/// A file with nodes over `x` [N, 4] to `y`.
pub(crate) fn small(nodes: &[Message], constants: &[Message]) -> Vec<u8> {
    let (x, y) = (value("x", 1, &[0, 4]), message().text(1, "y"));
    file(&graph([nodes, constants, &[x], &[y]])).0
}
