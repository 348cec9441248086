//! Reads a graph node by node: names, shapes, types, constants, work.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Place, Plan, Source, Step, Value};
use crate::cost::Cost;
use crate::error::{ErrorKind, Fault, ModelError, Refusal};
use crate::limits::Limits;
use crate::onnx::{Declared, Model, Node, TensorMessage};
use crate::ops::{self, Build, Built, Fact, Io, Kernel, Making};
use crate::tensor::{Dim, Element, Shape, Values, View};

/// The plan of a graph, its slots apart, and how many elements a sample of its inputs has.
pub(super) fn plan(model: Model<'_>, limits: &Limits) -> Result<(Plan, usize), ModelError> {
    let mut graph = Graph {
        limits,
        known: HashMap::new(),
        constants: Vec::new(),
        constant_elements: 0,
        steps: Vec::new(),
        cost: Cost::default(),
    };
    let constants = model.graph.constants;
    let initialized: Vec<_> = constants.iter().map(|tensor| tensor.name).collect();
    for tensor in constants {
        let place = format!("the initializer `{}`", tensor.name);
        graph
            .initializer(tensor)
            .map_err(|refusal| refusal.at(place))?;
    }
    let inputs = graph.inputs(&model.graph.inputs, &initialized)?;
    for (at, node) in model.graph.nodes.iter().enumerate() {
        let name = format!("node {at} `{}` ({})", node.name, node.operator);
        let opset = if node.domain == "ai.onnx.ml" {
            model.ml_opset
        } else {
            model.opset
        };
        graph
            .node(node, &name, opset)
            .map_err(|refusal| refusal.at(name.clone()))?;
    }
    let declared = model.graph.between.iter().chain(&model.graph.outputs);
    for declared in declared {
        let place = format!("the value `{}`", declared.name);
        graph
            .declared(declared)
            .map_err(|refusal| refusal.at(place))?;
    }
    let mut outputs = Vec::new();
    for declared in &model.graph.outputs {
        let place = format!("the output `{}`", declared.name);
        let output = graph.output(declared.name);
        outputs.push(output.map_err(|refusal| refusal.at(place))?);
    }
    if outputs.is_empty() || inputs.is_empty() {
        let why = "no inputs or no outputs; is this the whole model?";
        return Err(Refusal::wrong(why).at("the graph"));
    }
    let sizes = inputs
        .iter()
        .chain(&outputs)
        .map(|value: &Value| value.shape.sample_len());
    let sizes = sizes.fold(0_usize, usize::saturating_add);
    let mut plan = Plan {
        inputs,
        outputs,
        steps: graph.steps,
        constants: graph.constants,
        slots: Vec::new(),
        chunk: 1,
        cost: graph.cost,
    };
    drop_unused(&mut plan);
    Ok((plan, sizes))
}

/// A value whose name was read.
#[derive(Clone, Debug)]
struct Known {
    fact: Fact,
    source: Source,
}

struct Graph<'a> {
    limits: &'a Limits,
    known: HashMap<&'a str, Known>,
    constants: Vec<Arc<Values>>,
    constant_elements: usize,
    steps: Vec<Step>,
    cost: Cost,
}

impl<'a> Graph<'a> {
    fn name(&mut self, name: &'a str, known: Known) -> Result<(), Refusal> {
        if name.is_empty() {
            return Err(Refusal::wrong("a value without a name"));
        }
        if self.known.insert(name, known).is_some() {
            let why = format!("the name `{name}` twice: each value is made once");
            return Err(Refusal::new(ErrorKind::Ambiguous, why));
        }
        Ok(())
    }

    fn count(&mut self, elements: usize) -> Result<(), Refusal> {
        self.constant_elements = self.constant_elements.saturating_add(elements);
        let max = self.limits.constants_max;
        if self.constant_elements > max {
            return Err(Refusal::bound("constants", "constants_max", max));
        }
        Ok(())
    }

    fn constant(&mut self, values: Arc<Values>, shape: Shape) -> Known {
        self.constants.push(Arc::clone(&values));
        Known {
            fact: Fact {
                element: values.element(),
                shape,
                constant: Some(values),
            },
            source: Source::Constant(self.constants.len().saturating_sub(1)),
        }
    }

    fn initializer(&mut self, tensor: TensorMessage<'a>) -> Result<(), Refusal> {
        self.count(tensor.values.len())?;
        let dims = tensor.dims.iter().map(|size| Dim::Fixed(*size)).collect();
        let shape = Shape::new(dims, self.limits)?;
        let known = self.constant(Arc::new(tensor.values), shape);
        self.name(tensor.name, known)
    }

    /// The inputs that a caller gives. Old files list constants among them, as values that a caller
    /// may replace; here nobody does.
    fn inputs(
        &mut self,
        declared: &[Declared<'a>],
        initialized: &[&str],
    ) -> Result<Vec<Value>, ModelError> {
        let mut inputs = Vec::new();
        for declared in declared {
            let place = format!("the input `{}`", declared.name);
            if initialized.contains(&declared.name) {
                let held = self.declared(declared);
                held.map_err(|refusal| refusal.at(place))?;
                continue;
            }
            let input = self.input(declared, inputs.len());
            inputs.push(input.map_err(|refusal| refusal.at(place))?);
        }
        Ok(inputs)
    }

    fn input(&mut self, declared: &Declared<'a>, at: usize) -> Result<Value, Refusal> {
        let element = declared.element.ok_or_else(|| Refusal::wrong("no type"))?;
        if !matches!(element, Element::F32 | Element::I64) {
            let why = format!("an input of {element}: export with float32 or int64");
            return Err(Refusal::unsupported(why));
        }
        let dims = declared.dims.as_deref().unwrap_or_default();
        let mut read = Vec::new();
        for (at, size) in dims.iter().enumerate() {
            read.push(match size {
                Some(size) => Dim::Fixed(*size),
                None if at == 0 => Dim::Batch,
                None => {
                    let why = format!("axis {at} has no fixed size; the first alone may vary");
                    return Err(Refusal::unsupported(why));
                }
            });
        }
        if read.is_empty() {
            return Err(Refusal::unsupported("no shape: export with one"));
        }
        let shape = Shape::new(read, self.limits)?;
        let known = Known {
            fact: Fact {
                element,
                shape: shape.clone(),
                constant: None,
            },
            source: Source::Input(at),
        };
        self.name(declared.name, known)?;
        Ok(Value {
            name: declared.name.into(),
            element,
            shape,
            source: Source::Input(at),
        })
    }

    fn node(&mut self, node: &'a Node<'a>, name: &str, opset: Option<i64>) -> Result<(), Refusal> {
        let ml = match node.domain {
            "" | "ai.onnx" => false,
            "ai.onnx.ml" => true,
            other => {
                let why =
                    format!("an operator of the domain `{other}`: only ONNX's own are evaluated");
                return Err(Refusal::unsupported(why));
            }
        };
        let Some(operator) = ops::find(ml, node.operator) else {
            let why = format!("the operator `{}` is not evaluated", node.operator);
            return Err(Refusal::unsupported(why));
        };
        let opset = opset.ok_or_else(|| Refusal::wrong("the file imports no version of it"))?;
        let mut facts = Vec::new();
        let mut sources = Vec::new();
        for input in &node.inputs {
            if input.is_empty() {
                facts.push(None);
                sources.push(None);
                continue;
            }
            let Some(known) = self.known.get(input) else {
                let why =
                    format!("`{input}` is not there yet: nodes stand before those that use them");
                return Err(Refusal::wrong(why));
            };
            facts.push(Some(known.fact.clone()));
            sources.push(Some((known.source, known.fact.shape.clone())));
        }
        let build = Build::new(node, &facts, opset, self.limits);
        let built = (operator.build)(&build)?;
        build.finish()?;
        self.cost.add(&built.cost, self.limits)?;
        if node.outputs.len() > operator.outputs {
            let why = format!(
                "{} outputs, {} are evaluated",
                node.outputs.len(),
                operator.outputs
            );
            return Err(Refusal::unsupported(why));
        }
        self.made(node, name, &facts, sources, built)
    }

    fn made(
        &mut self,
        node: &'a Node<'a>,
        name: &str,
        facts: &[Option<Fact>],
        mut sources: Vec<Option<(Source, Shape)>>,
        built: Built,
    ) -> Result<(), Refusal> {
        let shapes: Vec<_> = built.outputs;
        let known = match built.making {
            Making::Alias => {
                let first = facts
                    .first()
                    .cloned()
                    .flatten()
                    .zip(sources.first().cloned().flatten());
                let (Some((fact, (source, _))), Some((_, shape))) =
                    (first, shapes.into_iter().next())
                else {
                    return Err(Refusal::wrong("no input"));
                };
                vec![Known {
                    fact: Fact { shape, ..fact },
                    source,
                }]
            }
            Making::Constant(values) => {
                self.count(values.len())?;
                let shape = shapes.into_iter().next().map(|(_, shape)| shape);
                vec![self.constant(Arc::new(values), shape.unwrap_or_default())]
            }
            Making::Kernel(kernel)
                if facts.iter().flatten().all(|fact| fact.constant.is_some()) =>
            {
                self.folded(&*kernel, facts, shapes)?
            }
            Making::Kernel(kernel) => {
                for source in sources.iter_mut().skip(built.reads) {
                    *source = None;
                }
                self.stepped(name, kernel, sources, shapes)
            }
        };
        // Behind an operator's outputs stands room that it needs, which has no name.
        for (name, known) in node.outputs.iter().zip(known) {
            if !name.is_empty() {
                self.name(name, known)?;
            }
        }
        let missing = node
            .outputs
            .iter()
            .find(|name| !name.is_empty() && !self.known.contains_key(**name));
        match missing {
            Some(name) => Err(Refusal::wrong(format!("an output `{name}` too many"))),
            None => Ok(()),
        }
    }

    /// Computes what depends on constants alone.
    fn folded(
        &mut self,
        kernel: &dyn Kernel,
        facts: &[Option<Fact>],
        shapes: Vec<(Element, Shape)>,
    ) -> Result<Vec<Known>, Refusal> {
        let lens: Vec<_> = shapes.iter().map(|(_, shape)| shape.len(1)).collect();
        for len in &lens {
            self.count(*len)?;
        }
        let zeros = shapes
            .iter()
            .map(|(element, shape)| Values::zeros(*element, shape.len(1)));
        let mut outputs: Vec<_> = zeros.collect();
        let views = facts.iter().map(|fact| {
            let values = fact.as_ref().and_then(|fact| fact.constant.as_deref());
            values.map_or(Some(View::F32(&[])), |values| values.view(values.len()))
        });
        let views: Option<Vec<_>> = views.collect();
        let views = views.ok_or_else(|| Refusal::wrong("a constant that is cut"))?;
        let mut io = Io {
            inputs: &views,
            outputs: &mut outputs,
            lens: &lens,
        };
        kernel.run(&mut io).map_err(|fault| match fault {
            Fault::Index { index, size } => {
                Refusal::wrong(format!("index {index} is outside a dimension of {size}"))
            }
            Fault::Buffer => Refusal::wrong("constants that do not fit together"),
        })?;
        if let Some(wrong) = outputs.iter().find(|values| !values.is_finite()) {
            let why = format!(
                "what is computed of constants is not finite ({})",
                wrong.element()
            );
            return Err(Refusal::new(ErrorKind::NotFinite, why));
        }
        let pairs = outputs.into_iter().zip(shapes);
        Ok(pairs
            .map(|(values, (_, shape))| self.constant(Arc::new(values), shape))
            .collect())
    }

    fn stepped(
        &mut self,
        name: &str,
        kernel: Box<dyn Kernel>,
        inputs: Vec<Option<(Source, Shape)>>,
        shapes: Vec<(Element, Shape)>,
    ) -> Vec<Known> {
        let step = self.steps.len();
        let known = shapes
            .iter()
            .enumerate()
            .map(|(output, (element, shape))| Known {
                fact: Fact {
                    element: *element,
                    shape: shape.clone(),
                    constant: None,
                },
                source: Source::Step { step, output },
            });
        let known = known.collect();
        let outputs = shapes.into_iter().map(|(element, shape)| Place {
            element,
            shape,
            slot: 0,
        });
        self.steps.push(Step {
            name: name.into(),
            kernel,
            inputs,
            outputs: outputs.collect(),
        });
        known
    }

    /// Holds what a file says of a value against what it is.
    fn declared(&self, declared: &Declared<'_>) -> Result<(), Refusal> {
        let Some(known) = self.known.get(declared.name) else {
            // It may be said of a value that is nowhere made.
            return Ok(());
        };
        let fact = &known.fact;
        if declared
            .element
            .is_some_and(|element| element != fact.element)
        {
            let why = format!(
                "declared as another type than the {} that it is",
                fact.element
            );
            return Err(Refusal::wrong(why));
        }
        let Some(dims) = &declared.dims else {
            return Ok(());
        };
        let fits = |(said, is): (&Option<usize>, &Dim)| match (said, is) {
            (None, _) => true,
            (Some(said), Dim::Fixed(size)) => said == size,
            // Exporters write 1 for a label of each sample.
            (Some(said), Dim::Batch) => *said == 1,
        };
        let own = fact.shape.dims();
        if dims.len() != own.len() || !dims.iter().zip(own).all(fits) {
            let why = format!(
                "declared with another shape than the {} that it has",
                fact.shape
            );
            return Err(Refusal::wrong(why));
        }
        Ok(())
    }

    fn output(&self, name: &str) -> Result<Value, Refusal> {
        let known = self.known.get(name);
        let known = known.ok_or_else(|| Refusal::wrong("no node makes it"))?;
        let element = known.fact.element;
        if !matches!(element, Element::F32 | Element::I64) {
            let why = format!("an output of {element}: cast it to float32 or int64");
            return Err(Refusal::unsupported(why));
        }
        Ok(Value {
            name: name.into(),
            element,
            shape: known.fact.shape.clone(),
            source: known.source,
        })
    }
}

/// Leaves out steps that no output depends on, and constants that no step reads.
fn drop_unused(plan: &mut Plan) {
    let mut needed = vec![false; plan.steps.len()];
    let mark = |needed: &mut Vec<bool>, source: Source| {
        if let Source::Step { step, .. } = source
            && let Some(needed) = needed.get_mut(step)
        {
            *needed = true;
        }
    };
    for output in &plan.outputs {
        mark(&mut needed, output.source);
    }
    // Nodes stand behind those that they use.
    for (at, step) in plan.steps.iter().enumerate().rev() {
        if needed.get(at) == Some(&true) {
            for (source, _) in step.inputs.iter().flatten() {
                mark(&mut needed, *source);
            }
        }
    }
    let mut count = 0_usize;
    let renumbered: Vec<_> = needed
        .iter()
        .map(|needed| {
            let own = count;
            count = count.saturating_add(usize::from(*needed));
            own
        })
        .collect();
    let mut kept = Vec::new();
    let mut constants: HashMap<usize, usize> = HashMap::new();
    let mut held = Vec::new();
    let mut moved = |source: &mut Source, plan_constants: &[Arc<Values>]| match source {
        Source::Step { step, .. } => *step = renumbered.get(*step).copied().unwrap_or(0),
        Source::Constant(at) => {
            let next = constants.len();
            let place = *constants.entry(*at).or_insert(next);
            if place == held.len()
                && let Some(values) = plan_constants.get(*at)
            {
                held.push(Arc::clone(values));
            }
            *at = place;
        }
        Source::Input(_) => {}
    };
    for (mut step, needed) in std::mem::take(&mut plan.steps).into_iter().zip(needed) {
        if needed {
            for (source, _) in step.inputs.iter_mut().flatten() {
                moved(source, &plan.constants);
            }
            kept.push(step);
        }
    }
    for output in &mut plan.outputs {
        moved(&mut output.source, &plan.constants);
    }
    plan.steps = kept;
    plan.constants = held;
}
