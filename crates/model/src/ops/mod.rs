//! The operators: a closed set, one line each in [`OPERATORS`].
//!
//! An operator is a function that reads a node (its attributes, the shapes of its inputs, constants
//! among them) and makes a [`Kernel`] of it: all that can be wrong with a model is found there. A
//! kernel has nothing left to decide but what depends on the data.

mod arithmetic;
mod choose;
mod convolution;
mod gather;
mod layout;
mod linear;
mod pointwise;
mod prepare;
mod product;
mod reduce;
mod softmax;
mod table;
pub(crate) mod trees;

pub(crate) use table::{OPERATORS, find};

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use crate::cost::Cost;
use crate::error::{ErrorKind, Fault, Refusal};
use crate::limits::Limits;
use crate::onnx::{Node, Value};
use crate::tensor::{Dim, Element, Scalar, Shape, Values, View};

/// What a node does, once everything about it is known but the data.
pub(crate) trait Kernel: fmt::Debug + Send + Sync {
    /// Computes the outputs of some samples, each as if it were alone.
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault>;

    /// What the operator says of why its output is what it is.
    fn structure(&self) -> Structure<'_> {
        Structure::Opaque
    }
}

/// What a kernel shows to explanations.
#[derive(Debug)]
pub(crate) enum Structure<'a> {
    /// Nothing.
    Opaque,
    /// Each element of the output is made of the same element of one input, by constants alone.
    Elementwise(usize),
    /// Each element of the output grows with the same element of the first input, and falls with others.
    Weighed,
    /// The first output is a sum over weighted elements of the first input, for each column.
    Weighted(&'a linear::Weights),
    /// Sums over the leaves of trees that look at the first input, times `scale`, and `base`. With
    /// two classes, `only` may be the class of all weights: the second's score grows with it.
    Trees {
        ensemble: &'a trees::Ensemble,
        scale: f32,
        base: &'a [f32],
        only: Option<u32>,
    },
    /// Rows of a constant table, as many as there are indices.
    Looked,
    /// A sum over all elements of a sample.
    Summed,
}

/// The data of a node for some samples.
#[derive(Debug)]
pub(crate) struct Io<'a> {
    pub(crate) inputs: &'a [View<'a>],
    pub(crate) outputs: &'a mut [Values],
    /// How many elements of each output are meant.
    pub(crate) lens: &'a [usize],
}

impl<'a> Io<'a> {
    /// An input; the plan has checked its type and length.
    pub(crate) fn input<T: Scalar>(&self, at: usize) -> Result<&'a [T], Fault> {
        self.inputs.get(at).and_then(T::of).ok_or(Fault::Buffer)
    }

    /// An output.
    pub(crate) fn output<T: Scalar>(&mut self, at: usize) -> Result<&mut [T], Fault> {
        let len = self.lens.get(at).copied().ok_or(Fault::Buffer)?;
        let whole = self.outputs.get_mut(at).and_then(T::of_mut);
        whole
            .and_then(|list| list.get_mut(..len))
            .ok_or(Fault::Buffer)
    }

    /// Two outputs at once.
    pub(crate) fn two_outputs<A: Scalar, B: Scalar>(
        &mut self,
    ) -> Result<(&mut [A], &mut [B]), Fault> {
        let ([a, b, ..], [la, lb, ..]) = (&mut *self.outputs, self.lens) else {
            return Err(Fault::Buffer);
        };
        Ok((
            A::of_mut(a)
                .and_then(|list| list.get_mut(..*la))
                .ok_or(Fault::Buffer)?,
            B::of_mut(b)
                .and_then(|list| list.get_mut(..*lb))
                .ok_or(Fault::Buffer)?,
        ))
    }

    /// Three outputs at once.
    pub(crate) fn three_outputs<A: Scalar, B: Scalar, C: Scalar>(
        &mut self,
    ) -> Result<Three<'_, A, B, C>, Fault> {
        let ([a, b, c, ..], [la, lb, lc, ..]) = (&mut *self.outputs, self.lens) else {
            return Err(Fault::Buffer);
        };
        Ok((
            A::of_mut(a)
                .and_then(|list| list.get_mut(..*la))
                .ok_or(Fault::Buffer)?,
            B::of_mut(b)
                .and_then(|list| list.get_mut(..*lb))
                .ok_or(Fault::Buffer)?,
            C::of_mut(c)
                .and_then(|list| list.get_mut(..*lc))
                .ok_or(Fault::Buffer)?,
        ))
    }
}

/// Three outputs.
type Three<'a, A, B, C> = (&'a mut [A], &'a mut [B], &'a mut [C]);

/// What is known of a value when the model is read.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) element: Element,
    pub(crate) shape: Shape,
    /// Its elements, where no input of the model has a part in them.
    pub(crate) constant: Option<Arc<Values>>,
}

/// What an operator makes of a node.
#[derive(Debug)]
pub(crate) struct Built {
    /// The outputs in the operator's order, and behind them what the kernel needs room for.
    pub(crate) outputs: Vec<(Element, Shape)>,
    pub(crate) making: Making,
    /// Work for one sample.
    pub(crate) cost: Cost,
    /// How many of the inputs the kernel reads: the others it has taken what it needs of.
    pub(crate) reads: usize,
}

/// How the outputs come to be.
#[derive(Debug)]
pub(crate) enum Making {
    /// A kernel computes them.
    Kernel(Box<dyn Kernel>),
    /// The output is the first input under another shape.
    Alias,
    /// The output is known.
    Constant(Values),
}

impl Built {
    /// One output by a kernel, at one unit of work for each element of it.
    pub(crate) fn one(element: Element, shape: Shape, kernel: impl Kernel + 'static) -> Self {
        let work = shape.sample_len();
        Self::costly(element, shape, kernel, work)
    }

    /// One output by a kernel, at so much work for each sample.
    pub(crate) fn costly(
        element: Element,
        shape: Shape,
        kernel: impl Kernel + 'static,
        work: usize,
    ) -> Self {
        Self {
            outputs: vec![(element, shape)],
            making: Making::Kernel(Box::new(kernel)),
            cost: Cost::work(work),
            reads: usize::MAX,
        }
    }

    /// The same, for a kernel that reads the first inputs alone.
    pub(crate) fn reading(mut self, inputs: usize) -> Self {
        self.reads = inputs;
        self
    }

    pub(crate) fn alias(element: Element, shape: Shape) -> Self {
        Self {
            outputs: vec![(element, shape)],
            making: Making::Alias,
            cost: Cost::default(),
            reads: 0,
        }
    }

    pub(crate) fn constant(values: Values, shape: Shape) -> Self {
        Self {
            outputs: vec![(values.element(), shape)],
            making: Making::Constant(values),
            cost: Cost::default(),
            reads: 0,
        }
    }
}

/// A node that is being read: its attributes, each to be taken once, and what is known of its inputs.
#[derive(Debug)]
pub(crate) struct Build<'a> {
    node: &'a Node<'a>,
    inputs: &'a [Option<Fact>],
    /// The version of the operators of the node's domain.
    pub(crate) opset: i64,
    pub(crate) limits: &'a Limits,
    taken: RefCell<Vec<&'static str>>,
}

impl<'a> Build<'a> {
    pub(crate) fn new(
        node: &'a Node<'a>,
        inputs: &'a [Option<Fact>],
        opset: i64,
        limits: &'a Limits,
    ) -> Self {
        Self {
            node,
            inputs,
            opset,
            limits,
            taken: RefCell::default(),
        }
    }

    /// Refuses attributes that the operator did not ask for.
    pub(crate) fn finish(&self) -> Result<(), Refusal> {
        let taken = self.taken.borrow();
        for attribute in &self.node.attributes {
            if !taken.contains(&attribute.name) {
                let why = format!("the attribute `{}` is not evaluated", attribute.name);
                return Err(Refusal::unsupported(why));
            }
        }
        Ok(())
    }

    pub(crate) fn inputs(&self) -> &'a [Option<Fact>] {
        self.inputs
    }

    /// How many outputs the node has, with those that are left out.
    pub(crate) fn outputs(&self) -> usize {
        self.node.outputs.len()
    }

    /// Refuses more inputs than the operator takes.
    pub(crate) fn inputs_max(&self, max: usize) -> Result<(), Refusal> {
        if self.inputs.len() > max {
            let why = format!("{} inputs, at most {max} are taken", self.inputs.len());
            return Err(Refusal::wrong(why));
        }
        Ok(())
    }

    /// An input that must be there.
    pub(crate) fn input(&self, at: usize) -> Result<&'a Fact, Refusal> {
        self.optional(at)
            .ok_or_else(|| Refusal::wrong(format!("no input {at}")))
    }

    /// An input that may be left out.
    pub(crate) fn optional(&self, at: usize) -> Option<&'a Fact> {
        self.inputs.get(at).and_then(Option::as_ref)
    }

    /// An input that must be there, of one type of element.
    pub(crate) fn typed<T: Scalar>(&self, at: usize) -> Result<&'a Fact, Refusal> {
        let fact = self.input(at)?;
        if fact.element != T::ELEMENT {
            let (is, want) = (fact.element, T::ELEMENT);
            let why = format!("input {at} is {is}, {want} is evaluated; export as {want}");
            return Err(Refusal::unsupported(why));
        }
        Ok(fact)
    }

    /// The elements of an input that must be constant, if it is there.
    pub(crate) fn constant<T: Scalar>(&self, at: usize) -> Result<Option<&'a [T]>, Refusal> {
        if self.optional(at).is_none() {
            return Ok(None);
        }
        let fact = self.typed::<T>(at)?;
        let values = fact.constant.as_deref().and_then(T::of_values);
        let why = format!("input {at} depends on the data; it must be constant");
        values.map(Some).ok_or_else(|| Refusal::unsupported(why))
    }

    /// The integers of a constant input that must be there; int32 is taken too.
    pub(crate) fn indices(&self, at: usize) -> Result<Option<Vec<i64>>, Refusal> {
        match self.optional(at) {
            None => Ok(None),
            Some(fact) if fact.element == Element::I32 => Ok(self
                .constant::<i32>(at)?
                .map(|list| list.iter().map(|value| i64::from(*value)).collect())),
            Some(_) => Ok(self.constant::<i64>(at)?.map(<[i64]>::to_vec)),
        }
    }

    /// A shape within the bounds.
    pub(crate) fn shape(&self, dims: Vec<Dim>) -> Result<Shape, Refusal> {
        Shape::new(dims, self.limits)
    }

    pub(crate) fn value(&self, name: &'static str) -> Option<&'a Value<'a>> {
        self.taken.borrow_mut().push(name);
        let mut attributes = self.node.attributes.iter();
        let attribute = attributes.find(|attribute| attribute.name == name)?;
        Some(&attribute.value)
    }

    pub(crate) fn int(&self, name: &'static str) -> Result<Option<i64>, Refusal> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Int(value)) => Ok(Some(*value)),
            Some(other) => Err(mistyped(name, other)),
        }
    }

    /// An attribute that is yes or no.
    pub(crate) fn flag(&self, name: &'static str, default: bool) -> Result<bool, Refusal> {
        match self.int(name)? {
            None => Ok(default),
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            Some(other) => Err(Refusal::wrong(format!("`{name}` is {other}, not 0 or 1"))),
        }
    }

    pub(crate) fn ints(&self, name: &'static str) -> Result<Option<&'a [i64]>, Refusal> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Ints(list)) => Ok(Some(list)),
            Some(other) => Err(mistyped(name, other)),
        }
    }

    /// A finite number.
    pub(crate) fn float(&self, name: &'static str) -> Result<Option<f32>, Refusal> {
        let value = self.any_float(name)?;
        value.map(|value| finite(name, value)).transpose()
    }

    /// A number that may be NaN.
    pub(crate) fn any_float(&self, name: &'static str) -> Result<Option<f32>, Refusal> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Float(value)) => Ok(Some(*value)),
            Some(other) => Err(mistyped(name, other)),
        }
    }

    /// Finite numbers.
    pub(crate) fn floats(&self, name: &'static str) -> Result<Option<&'a [f32]>, Refusal> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Floats(list)) => {
                for value in list {
                    finite(name, *value)?;
                }
                Ok(Some(list))
            }
            Some(other) => Err(mistyped(name, other)),
        }
    }

    pub(crate) fn text(&self, name: &'static str) -> Result<Option<&'a str>, Refusal> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(other) => Err(mistyped(name, other)),
        }
    }

    pub(crate) fn texts(&self, name: &'static str) -> Result<Option<&'a [&'a str]>, Refusal> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Texts(list)) => Ok(Some(list)),
            Some(other) => Err(mistyped(name, other)),
        }
    }

    /// Refuses an attribute that is there and not empty.
    pub(crate) fn refuse(&self, name: &'static str, mend: &str) -> Result<(), Refusal> {
        match self.value(name) {
            None => Ok(()),
            Some(Value::Texts(list)) if list.is_empty() => Ok(()),
            Some(Value::Floats(list)) if list.is_empty() => Ok(()),
            Some(Value::Ints(list)) if list.is_empty() => Ok(()),
            Some(_) => {
                let why = format!("`{name}` is not evaluated: {mend}");
                Err(Refusal::unsupported(why))
            }
        }
    }

    /// Axes, each once, in order: an attribute before `since`, input `at` from then on.
    pub(crate) fn axes(
        &self,
        at: usize,
        since: i64,
        rank: usize,
    ) -> Result<Option<Vec<usize>>, Refusal> {
        let written = if self.opset >= since {
            self.indices(at)?
        } else {
            self.ints("axes")?.map(<[i64]>::to_vec)
        };
        let Some(written) = written else {
            return Ok(None);
        };
        let axes = written
            .iter()
            .map(|axis| crate::tensor::axis_of(*axis, rank));
        let mut axes: Vec<_> = axes.collect::<Result<_, _>>()?;
        axes.sort_unstable();
        let count = axes.len();
        axes.dedup();
        if axes.len() < count {
            return Err(Refusal::wrong("an axis twice"));
        }
        Ok(Some(axes))
    }
}

fn finite(name: &str, value: f32) -> Result<f32, Refusal> {
    if value.is_finite() {
        return Ok(value);
    }
    let why = format!("`{name}` has a value that is not finite");
    Err(Refusal::new(ErrorKind::NotFinite, why))
}

fn mistyped(name: &str, value: &Value<'_>) -> Refusal {
    let is = match value {
        Value::Float(_) => "a float",
        Value::Int(_) => "an integer",
        Value::Text(_) => "a text",
        Value::Tensor(_) => "a tensor",
        Value::Floats(_) => "a list of floats",
        Value::Ints(_) => "a list of integers",
        Value::Texts(_) => "a list of texts",
    };
    Refusal::wrong(format!(
        "the attribute `{name}` is {is}, which its operator does not take"
    ))
}
