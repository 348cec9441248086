//! The bill of materials of a pack's models: CycloneDX 1.7, made of the manifest.
//!
//! These types hold what we write and what we look for in others' documents; [`read`] passes over
//! the rest. What CycloneDX has no field for stands in properties named `shieldwall:…`.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::json::{self, DocumentError, Fault};
use crate::manifest::{File, Manifest, Measured, Model, Source};

/// The version that is written.
pub const SPEC_VERSION: &str = "1.7";
/// The versions that are read.
pub const SPEC_VERSIONS: [&str; 3] = ["1.5", "1.6", "1.7"];
/// Largest document that is read, in bytes.
pub const BOM_BYTES_MAX: usize = 16 << 20;

/// A bill of materials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bom {
    /// `CycloneDX`.
    pub bom_format: String,
    /// The version of the specification.
    pub spec_version: String,
    /// `urn:uuid:…`, the same for the same pack, version and sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
    /// The version of the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// What the document is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// What it is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
}

/// What a document is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// The pack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<Component>,
}

/// A pack or a model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Component {
    /// `machine-learning-model` for a model.
    #[serde(rename = "type")]
    pub kind: String,
    /// A name within the document.
    #[serde(rename = "bom-ref", skip_serializing_if = "Option::is_none")]
    pub bom_ref: Option<String>,
    /// Who supplies it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supplier: Option<Organisation>,
    /// Its name.
    pub name: String,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its digests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hashes: Vec<Hash>,
    /// Its licences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub licenses: Vec<Licence>,
    /// How a model was made and what it reaches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_card: Option<ModelCard>,
    /// What has no field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<Property>,
}

/// An organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hash {
    /// The algorithm, `SHA-256`.
    pub alg: String,
    /// In hexadecimal.
    pub content: String,
}

/// A licence; of the two ways to say it, the one that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Licence {
    /// An SPDX expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
}

/// How a model was made and what it reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelCard {
    /// How it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_parameters: Option<ModelParameters>,
    /// What it reaches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantitative_analysis: Option<Analysis>,
}

/// How a model was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelParameters {
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The data that it was trained on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<Dataset>,
    /// What goes in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Port>,
    /// What comes out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Port>,
}

/// Data, or where in the document it is described.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Dataset {
    /// `dataset`, where the data is described here.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// More about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contents: Option<Contents>,
    /// The `bom-ref` of a component that is the data, where it is described elsewhere.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// More about data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Contents {
    /// What has no field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<Property>,
}

/// What goes in or comes out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Its form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

/// What a model reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Analysis {
    /// Results.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub performance_metrics: Vec<Metric>,
}

/// A result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metric {
    /// What was measured.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What came out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// On which samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// How sure it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence_interval: Option<Interval>,
}

/// A confidence interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Interval {
    /// Its lower bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower_bound: Option<String>,
    /// Its upper bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper_bound: Option<String>,
}

/// What has no field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Property {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// Writes the bill of materials of a pack, in canonical JSON: the same manifest gives the same bytes.
/// A file digest is that of the manifest's list.
///
/// # Errors
/// [`DocumentError`], which these fields rule out.
pub fn of(manifest: &Manifest) -> Result<String, DocumentError> {
    let models = manifest.models.iter();
    json::write(&Bom {
        bom_format: "CycloneDX".to_owned(),
        spec_version: SPEC_VERSION.to_owned(),
        serial_number: Some(serial(manifest)),
        version: Some(1),
        metadata: Some(Metadata {
            timestamp: Some(manifest.created.to_string()),
            component: Some(pack(manifest)),
        }),
        components: models
            .enumerate()
            .map(|(at, one)| model(manifest, at, one))
            .collect(),
    })
}

/// Reads somebody's bill of materials. Fields that these types do not have are passed over; whether
/// the document is legal CycloneDX is for the official schema to say.
///
/// # Errors
/// [`DocumentError`]: not JSON, no CycloneDX, another version, or a field that we read of another
/// type.
pub fn read(raw: &[u8]) -> Result<Bom, DocumentError> {
    let bom: Bom = json::read_any_form(raw, BOM_BYTES_MAX)?;
    let schema = |path: &str, found: &str, want| {
        let found = found.chars().take(100).collect::<String>().into();
        Err(DocumentError::new(path, Fault::Schema { found, want }))
    };
    if bom.bom_format != "CycloneDX" {
        return schema("$.bomFormat", &bom.bom_format, "CycloneDX");
    }
    if !SPEC_VERSIONS.contains(&bom.spec_version.as_str()) {
        return schema("$.specVersion", &bom.spec_version, "1.5, 1.6 or 1.7");
    }
    Ok(bom)
}

impl Bom {
    /// The models in it.
    pub fn models(&self) -> impl Iterator<Item = &Component> {
        let components = self.components.iter();
        components.filter(|component| component.kind == "machine-learning-model")
    }
}

fn serial(manifest: &Manifest) -> String {
    let id = format!(
        "{}\0{}\0{}\0{}",
        manifest.publisher, manifest.name, manifest.version, manifest.sequence
    );
    let uuid = Uuid::new_v5(&Uuid::NAMESPACE_URL, id.as_bytes());
    format!("urn:uuid:{uuid}")
}

fn pack(manifest: &Manifest) -> Component {
    Component {
        kind: "application".to_owned(),
        bom_ref: Some("pack".to_owned()),
        supplier: Some(Organisation {
            name: Some(manifest.publisher.to_string()),
        }),
        name: manifest.name.to_string(),
        version: Some(manifest.version.to_string()),
        description: manifest.description.as_ref().map(ToString::to_string),
        licenses: licence(manifest),
        properties: vec![
            property("sequence", manifest.sequence),
            property("expires", manifest.expires),
            property("responsibility", &manifest.responsibility),
        ],
        ..Component::default()
    }
}

fn licence(manifest: &Manifest) -> Vec<Licence> {
    vec![Licence {
        expression: Some(manifest.licence.to_string()),
    }]
}

fn model(manifest: &Manifest, at: usize, model: &Model) -> Component {
    let hash = |file: &File| Hash {
        alg: "SHA-256".to_owned(),
        content: file.sha256.to_string(),
    };
    let mut properties = vec![
        property("file", &model.file),
        property("extractor", &model.extractor),
        property("aggregate", model.aggregate),
        property("trained", model.training.date),
    ];
    properties.extend(model.thresholds.iter().map(|row| {
        let text = format!("{} at fpr {} on {}", row.threshold, row.fpr, row.set);
        property("threshold", text)
    }));
    let inputs = model.inputs.iter().map(|input| {
        let groups: Vec<&str> = input.groups.iter().map(AsRef::as_ref).collect();
        format!(
            "{}: {} of {}",
            input.name,
            groups.join(", "),
            model.extractor
        )
    });
    Component {
        kind: "machine-learning-model".to_owned(),
        bom_ref: Some(format!("model-{at}")),
        name: format!("{}/{}", manifest.name, model.task),
        version: Some(manifest.version.to_string()),
        hashes: manifest.file(&model.file).map(hash).into_iter().collect(),
        licenses: licence(manifest),
        model_card: Some(ModelCard {
            model_parameters: Some(ModelParameters {
                task: Some(model.task.to_string()),
                datasets: model.training.sources.iter().map(dataset).collect(),
                inputs: inputs.map(port).collect(),
                outputs: vec![port(model.output.to_string())],
            }),
            quantitative_analysis: Some(Analysis {
                performance_metrics: model.training.results.iter().map(metric).collect(),
            }),
        }),
        properties,
        ..Component::default()
    }
}

fn dataset(source: &Source) -> Dataset {
    Dataset {
        kind: Some("dataset".to_owned()),
        name: Some(source.name.to_string()),
        contents: Some(Contents {
            properties: vec![
                property("licence", &source.licence),
                property("rows", source.rows),
            ],
        }),
        reference: None,
    }
}

fn port(format: String) -> Port {
    Port {
        format: Some(format),
    }
}

fn metric(result: &Measured) -> Metric {
    let interval = (result.low.is_some() || result.high.is_some()).then(|| Interval {
        lower_bound: result.low.map(|low| low.to_string()),
        upper_bound: result.high.map(|high| high.to_string()),
    });
    Metric {
        kind: Some(result.metric.to_string()),
        value: Some(result.value.to_string()),
        slice: Some(format!("{} ({} samples)", result.set, result.rows)),
        confidence_interval: interval,
    }
}

fn property(name: &str, value: impl ToString) -> Property {
    Property {
        name: format!("shieldwall:{name}"),
        value: Some(value.to_string()),
    }
}
