//! ModelProto, GraphProto, ValueInfoProto.

use super::{Message, Node, TensorMessage, element_of, wire::Field};
use crate::error::{ErrorKind, ModelError, Refusal};
use crate::limits::Limits;
use crate::tensor::Element;

/// The versions of the format that are read.
const IR_VERSIONS: std::ops::RangeInclusive<i64> = 3..=13;
/// The versions of ONNX's own operators that are evaluated.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=25;
/// The versions of the operators of classical machine learning that are evaluated.
const ML_OPSETS: std::ops::RangeInclusive<i64> = 1..=5;
/// The domain of those.
pub(crate) const ML_DOMAIN: &str = "ai.onnx.ml";

/// A file.
#[derive(Debug)]
pub(crate) struct Model<'a> {
    pub(crate) graph: Graph<'a>,
    /// The version of ONNX's own operators, where the file imports them.
    pub(crate) opset: Option<i64>,
    /// The version of those of classical machine learning, where the file imports them.
    pub(crate) ml_opset: Option<i64>,
}

/// The graph of a file: nodes in the order in which they are computed.
#[derive(Debug, Default)]
pub(crate) struct Graph<'a> {
    pub(crate) nodes: Vec<Node<'a>>,
    pub(crate) constants: Vec<TensorMessage<'a>>,
    pub(crate) inputs: Vec<Declared<'a>>,
    pub(crate) outputs: Vec<Declared<'a>>,
    pub(crate) between: Vec<Declared<'a>>,
}

/// What a file says of a value.
#[derive(Debug)]
pub(crate) struct Declared<'a> {
    pub(crate) name: &'a str,
    /// Its elements, where they are said.
    pub(crate) element: Option<Element>,
    /// Its dimensions, where they are said; `None` among them for those that are not fixed.
    pub(crate) dims: Option<Vec<Option<usize>>>,
}

impl<'a> Model<'a> {
    pub(crate) fn read(bytes: &'a [u8], limits: &Limits) -> Result<Self, ModelError> {
        if bytes.len() > limits.bytes_max {
            let refusal = Refusal::bound("the file", "bytes_max", limits.bytes_max);
            return Err(refusal.at("the file"));
        }
        let (mut version, mut graph) = (None, None);
        let (mut opset, mut ml_opset) = (None, None);
        let mut message = Message::file("ModelProto", bytes);
        while let Some(field) = message.next()? {
            match field.number {
                1 => field.once(&mut version, "ir_version", field.int()?)?,
                // producer_name, producer_version, domain, model_version, doc_string, metadata
                2..=6 | 14 => field.skip(),
                7 => {
                    let read = Graph::read(field.message("GraphProto")?, limits)?;
                    field.once(&mut graph, "graph", read)?;
                }
                8 => import(&field, limits, &mut opset, &mut ml_opset)?,
                20 => return Err(field.unsupported("training_info", "export for inference")),
                25 => return Err(field.unsupported("functions", "inline the model's functions")),
                26 => return Err(field.unsupported("configuration", "export for one device")),
                _ => return Err(field.unknown()),
            }
        }
        let wrong = |kind, why: String| Refusal::new(kind, why).at("the file");
        let Some(version) = version else {
            let why = "no ir_version; is this an ONNX file, and whole?";
            return Err(wrong(ErrorKind::Wire, why.to_owned()));
        };
        if !IR_VERSIONS.contains(&version) {
            let why = format!("IR version {version}: {IR_VERSIONS:?} are read");
            return Err(wrong(ErrorKind::Unsupported, why));
        }
        let Some(graph) = graph else {
            let why = "no graph; is this an ONNX file, and whole?";
            return Err(wrong(ErrorKind::Wire, why.to_owned()));
        };
        Ok(Self {
            graph,
            opset,
            ml_opset,
        })
    }
}

/// An OperatorSetIdProto.
fn import(
    field: &Field<'_>,
    limits: &Limits,
    opset: &mut Option<i64>,
    ml_opset: &mut Option<i64>,
) -> Result<(), ModelError> {
    let (mut domain, mut version) = (None, None);
    let mut message = field.message("OperatorSetIdProto")?;
    while let Some(field) = message.next()? {
        match field.number {
            1 => field.once(&mut domain, "domain", field.text(limits.text_max)?)?,
            2 => field.once(&mut version, "version", field.int()?)?,
            _ => return Err(field.unknown()),
        }
    }
    let version = version.unwrap_or(0);
    let domain = domain.unwrap_or_default();
    let (place, versions) = match domain {
        "" | "ai.onnx" => (opset, OPSETS),
        ML_DOMAIN => (ml_opset, ML_OPSETS),
        _ => {
            let why = format!("operators of the domain `{domain}`: only ONNX's own are evaluated");
            return Err(field.refuse(Refusal::unsupported(why)));
        }
    };
    if !versions.contains(&version) {
        let why = format!("version {version} of `{domain}`: {versions:?} are evaluated");
        return Err(field.refuse(Refusal::unsupported(why)));
    }
    // Exporters say the same twice; twice different is another matter.
    if place.is_some_and(|before| before != version) {
        let why = format!("two versions of the operators of `{domain}`");
        return Err(field.refuse(Refusal::new(ErrorKind::Ambiguous, why)));
    }
    *place = Some(version);
    Ok(())
}

impl<'a> Graph<'a> {
    fn read(mut message: Message<'a>, limits: &Limits) -> Result<Self, ModelError> {
        let mut graph = Self::default();
        let mut name = None;
        while let Some(field) = message.next()? {
            match field.number {
                1 => {
                    let node = Node::read(field.message("NodeProto")?, limits)?;
                    graph.nodes.push(node);
                    let (count, max) = (graph.nodes.len(), limits.nodes_max);
                    field.counted(count, "nodes", "nodes_max", max)?;
                }
                2 => field.once(&mut name, "name", field.text(limits.text_max)?)?,
                5 => {
                    let tensor = TensorMessage::read(field.message("TensorProto")?, limits)?;
                    graph.constants.push(tensor);
                    // One at least for each: a node without inputs needs none.
                    let max = limits.nodes_max.saturating_mul(4);
                    field.counted(graph.constants.len(), "initializers", "4 x nodes_max", max)?;
                }
                // doc_string, metadata
                10 | 16 => field.skip(),
                11 => declare(&field, &mut graph.inputs, limits.ports_max, limits)?,
                12 => declare(&field, &mut graph.outputs, limits.ports_max, limits)?,
                13 => {
                    let max = limits.nodes_max.saturating_mul(4);
                    declare(&field, &mut graph.between, max, limits)?;
                }
                14 => return Err(field.unsupported("quantization_annotation", "export as float")),
                15 => return Err(field.unsupported("sparse_initializer", "export dense tensors")),
                _ => return Err(field.unknown()),
            }
        }
        Ok(graph)
    }
}

fn declare<'a>(
    field: &Field<'a>,
    list: &mut Vec<Declared<'a>>,
    max: usize,
    limits: &Limits,
) -> Result<(), ModelError> {
    list.push(Declared::read(field.message("ValueInfoProto")?, limits)?);
    field.counted(
        list.len(),
        "declared values",
        "ports_max or 4 x nodes_max",
        max,
    )
}

impl<'a> Declared<'a> {
    fn read(mut message: Message<'a>, limits: &Limits) -> Result<Self, ModelError> {
        let (mut name, mut kind) = (None, None);
        while let Some(field) = message.next()? {
            match field.number {
                1 => field.once(&mut name, "name", field.text(limits.text_max)?)?,
                2 => {
                    let read = read_type(field.message("TypeProto")?, limits)?;
                    field.once(&mut kind, "type", read)?;
                }
                3 | 4 => field.skip(),
                _ => return Err(field.unknown()),
            }
        }
        let (element, dims) = kind.unwrap_or_default();
        Ok(Self {
            name: name.unwrap_or_default(),
            element,
            dims,
        })
    }
}

type Type = (Option<Element>, Option<Vec<Option<usize>>>);

fn read_type(mut message: Message<'_>, limits: &Limits) -> Result<Type, ModelError> {
    let mut tensor = None;
    while let Some(field) = message.next()? {
        match field.number {
            1 => {
                let read = read_tensor_type(field.message("TypeProto.Tensor")?, limits)?;
                field.once(&mut tensor, "tensor_type", read)?;
            }
            4 | 5 => {
                let mend = "export with the option `zipmap` off, so that scores are a tensor";
                return Err(field.unsupported("a sequence or a map", mend));
            }
            6 => field.skip(),
            7..=9 => return Err(field.unsupported("a type that is no tensor", "export tensors")),
            _ => return Err(field.unknown()),
        }
    }
    Ok(tensor.unwrap_or_default())
}

fn read_tensor_type(mut message: Message<'_>, limits: &Limits) -> Result<Type, ModelError> {
    let (mut element, mut dims) = (None, None);
    while let Some(field) = message.next()? {
        match field.number {
            1 => {
                let read = element_of(field.int()?).map_err(|refusal| field.refuse(refusal))?;
                field.once(&mut element, "elem_type", read)?;
            }
            2 => {
                let mut read = Vec::new();
                let mut shape = field.message("TensorShapeProto")?;
                while let Some(field) = shape.next()? {
                    match field.number {
                        1 => read.push(read_dim(field.message("Dimension")?, limits)?),
                        _ => return Err(field.unknown()),
                    }
                    field.counted(read.len(), "dimensions", "rank_max", limits.rank_max)?;
                }
                field.once(&mut dims, "shape", read)?;
            }
            _ => return Err(field.unknown()),
        }
    }
    Ok((element, dims))
}

fn read_dim(mut message: Message<'_>, limits: &Limits) -> Result<Option<usize>, ModelError> {
    let (mut value, mut name) = (None, None);
    while let Some(field) = message.next()? {
        match field.number {
            1 => {
                let size = field.int()?;
                // Some exporters write -1 or 0 for a size that is not fixed.
                let size = usize::try_from(size).ok().filter(|size| *size > 0);
                let max = limits.dim_max;
                field.counted(size.unwrap_or(0), "a dimension", "dim_max", max)?;
                field.once(&mut value, "dim_value", size)?;
            }
            2 => field.once(&mut name, "dim_param", field.text(limits.text_max)?)?,
            3 => field.skip(),
            _ => return Err(field.unknown()),
        }
        if value.is_some() && name.is_some() {
            let why = "dim_value and dim_param for one dimension: one of them";
            return Err(field.refuse(Refusal::new(ErrorKind::Ambiguous, why)));
        }
    }
    Ok(value.flatten())
}
