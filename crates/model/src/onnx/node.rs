//! NodeProto, AttributeProto.

use super::{Message, TensorMessage, wire::Field};
use crate::error::{ErrorKind, ModelError, Refusal};
use crate::limits::Limits;

/// A node of the graph: an operator over values.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    pub(crate) name: &'a str,
    pub(crate) operator: &'a str,
    pub(crate) domain: &'a str,
    /// Names of values; an empty one for an optional input that is left out.
    pub(crate) inputs: Vec<&'a str>,
    pub(crate) outputs: Vec<&'a str>,
    pub(crate) attributes: Vec<Attribute<'a>>,
}

/// An attribute of a node.
#[derive(Debug)]
pub(crate) struct Attribute<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: Value<'a>,
}

/// The value of an attribute.
#[derive(Debug)]
pub(crate) enum Value<'a> {
    Float(f32),
    Int(i64),
    Text(&'a str),
    Tensor(Box<TensorMessage<'a>>),
    Floats(Vec<f32>),
    Ints(Vec<i64>),
    Texts(Vec<&'a str>),
}

impl<'a> Node<'a> {
    pub(super) fn read(mut message: Message<'a>, limits: &Limits) -> Result<Self, ModelError> {
        let (mut name, mut operator, mut domain) = (None, None, None);
        let (mut inputs, mut outputs, mut attributes) = (Vec::new(), Vec::new(), Vec::new());
        let text = limits.text_max;
        while let Some(field) = message.next()? {
            match field.number {
                1 => {
                    inputs.push(field.text(text)?);
                    field.counted(inputs.len(), "inputs", "ports_max", limits.ports_max)?;
                }
                2 => {
                    outputs.push(field.text(text)?);
                    field.counted(outputs.len(), "outputs", "ports_max", limits.ports_max)?;
                }
                3 => field.once(&mut name, "name", field.text(text)?)?,
                4 => field.once(&mut operator, "op_type", field.text(text)?)?,
                5 => {
                    let read = Attribute::read(field.message("AttributeProto")?, limits)?;
                    if attributes
                        .iter()
                        .any(|other: &Attribute<'_>| other.name == read.name)
                    {
                        let why = format!("the attribute `{}` twice", read.name);
                        return Err(field.refuse(Refusal::new(ErrorKind::Ambiguous, why)));
                    }
                    attributes.push(read);
                    let (count, max) = (attributes.len(), limits.attributes_max);
                    field.counted(count, "attributes", "attributes_max", max)?;
                }
                6 | 9 => field.skip(),
                7 => field.once(&mut domain, "domain", field.text(text)?)?,
                8 if field.text(text)?.is_empty() => field.skip(),
                8 => return Err(field.unsupported("overload", "it names a function of the model")),
                10 => {
                    return Err(field.unsupported("device_configurations", "export for one device"));
                }
                _ => return Err(field.unknown()),
            }
        }
        Ok(Self {
            name: name.unwrap_or_default(),
            operator: operator.unwrap_or_default(),
            domain: domain.unwrap_or_default(),
            inputs,
            outputs,
            attributes,
        })
    }
}

/// The fields of values in an attribute, until it is known which one it has.
#[derive(Debug, Default)]
struct Fields<'a> {
    kind: Option<i64>,
    float: Option<f32>,
    int: Option<i64>,
    text: Option<&'a str>,
    tensor: Option<Box<TensorMessage<'a>>>,
    floats: Vec<f32>,
    ints: Vec<i64>,
    texts: Vec<&'a str>,
}

impl<'a> Attribute<'a> {
    fn read(mut message: Message<'a>, limits: &Limits) -> Result<Self, ModelError> {
        let mut name = None;
        let mut fields = Fields::default();
        while let Some(field) = message.next()? {
            match field.number {
                1 => field.once(&mut name, "name", field.text(limits.text_max)?)?,
                13 => field.skip(),
                20 => field.once(&mut fields.kind, "type", field.int()?)?,
                6 | 11 => {
                    let mend = "branches and loops have no bound that is known before they run";
                    return Err(field.unsupported("a graph in an attribute", mend));
                }
                21 => return Err(field.unsupported("ref_attr_name", "inline the functions")),
                22 | 23 => return Err(field.unsupported("a sparse tensor", "export it dense")),
                10 => {
                    return Err(
                        field.unsupported("a list of tensors", "no operator here takes one")
                    );
                }
                14 | 15 => return Err(field.unsupported("a type", "no operator here takes one")),
                _ => fields.take(&field, limits)?,
            }
        }
        let name = name.unwrap_or_default();
        let value = fields
            .value()
            .map_err(|refusal| refusal.at(format!("the attribute `{name}`")))?;
        Ok(Self { name, value })
    }
}

impl<'a> Fields<'a> {
    fn take(&mut self, field: &Field<'a>, limits: &Limits) -> Result<(), ModelError> {
        let bound = ("attribute_list_max", limits.attribute_list_max);
        match field.number {
            2 => field.once(&mut self.float, "f", field.float()?),
            3 => field.once(&mut self.int, "i", field.int()?),
            4 => field.once(&mut self.text, "s", field.text(limits.text_max)?),
            5 => {
                let tensor = TensorMessage::read(field.message("TensorProto")?, limits)?;
                field.once(&mut self.tensor, "t", Box::new(tensor))
            }
            7 => field.floats(&mut self.floats, bound),
            8 => field.ints(&mut self.ints, bound),
            9 => {
                self.texts.push(field.text(limits.text_max)?);
                field.counted(self.texts.len(), "a list", bound.0, bound.1)
            }
            _ => Err(field.unknown()),
        }
    }

    /// The one value that the attribute has: the one that its type names, and no other.
    fn value(self) -> Result<Value<'a>, Refusal> {
        let given = [
            self.float.is_some(),
            self.int.is_some(),
            self.text.is_some(),
            self.tensor.is_some(),
            !self.floats.is_empty(),
            !self.ints.is_empty(),
            !self.texts.is_empty(),
        ];
        if given.iter().filter(|given| **given).count() > 1 {
            let why = "values in several fields: readers differ in which they take";
            return Err(Refusal::new(ErrorKind::Ambiguous, why));
        }
        let value = match self.kind {
            Some(1) => self.float.map(Value::Float),
            Some(2) => self.int.map(Value::Int),
            Some(3) => self.text.map(Value::Text),
            Some(4) => self.tensor.map(Value::Tensor),
            // An empty list leaves no field in the file.
            Some(6) => Some(Value::Floats(self.floats)),
            Some(7) => Some(Value::Ints(self.ints)),
            Some(8) => Some(Value::Texts(self.texts)),
            Some(_) | None => None,
        };
        let value = value.ok_or_else(|| Refusal::wrong("no value of the type that it names"))?;
        let other = match &value {
            Value::Floats(list) if list.is_empty() => given.contains(&true),
            Value::Ints(list) if list.is_empty() => given.contains(&true),
            Value::Texts(list) if list.is_empty() => given.contains(&true),
            Value::Float(_)
            | Value::Int(_)
            | Value::Text(_)
            | Value::Tensor(_)
            | Value::Floats(_)
            | Value::Ints(_)
            | Value::Texts(_) => false,
        };
        if other {
            return Err(Refusal::wrong("a value of another type than it names"));
        }
        Ok(value)
    }
}
