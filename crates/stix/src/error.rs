//! Why an object is refused: where, by which rule, and what mends it.

use std::borrow::Cow;
use std::fmt;

use crate::id::IdError;
use crate::pattern::PatternError;
use crate::time::TimeError;

/// An object that is refused. The fault is always its author's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectError {
    /// Where, as a JSON path from the object, for example `$.external_references[0].url`; in a
    /// bundle or an envelope from the document, `$.objects[3].created`.
    pub path: Box<str>,
    /// What is wrong there.
    pub fault: Fault,
}

impl ObjectError {
    pub(crate) fn new(path: impl Into<Box<str>>, fault: Fault) -> Self {
        Self {
            path: path.into(),
            fault,
        }
    }

    /// The same error, seen from the document that the object stands in at `index`.
    pub(crate) fn within(self, index: usize) -> Self {
        let rest = self.path.strip_prefix('$').unwrap_or(&self.path);
        Self {
            path: format!("$.objects[{index}]{rest}").into(),
            fault: self.fault,
        }
    }

    /// The rule that is broken: a section of STIX 2.1, or a bound of ours.
    #[must_use]
    pub fn rule(&self) -> &str {
        self.fault.rule()
    }

    /// What would mend it.
    #[must_use]
    pub fn mend(&self) -> &str {
        self.fault.mend()
    }
}

impl std::error::Error for ObjectError {}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} ({}); {}",
            self.path,
            self.fault,
            self.rule(),
            self.mend()
        )
    }
}

/// What is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The bytes are not JSON.
    #[error("not JSON: {0}")]
    NotJson(Box<str>),
    /// More bytes than the limit allows.
    #[error("{bytes} bytes, more than {max}")]
    TooLong {
        /// How many there are.
        bytes: usize,
        /// How many there may be.
        max: usize,
    },
    /// Nested deeper than the limit allows.
    #[error("nested deeper than {max} levels")]
    TooDeep {
        /// How deep it may be.
        max: usize,
    },
    /// A key stands twice in one JSON object.
    #[error("the key stands twice")]
    DuplicateKey,
    /// A required property is missing.
    #[error("a required property is missing")]
    Missing,
    /// The value has another JSON type, or is an empty list.
    #[error("must be {0}")]
    Type(&'static str),
    /// Not an identifier.
    #[error("not an identifier: {0}")]
    Id(#[from] IdError),
    /// An identifier of another type of object.
    #[error("must be the identifier of {0}")]
    IdKind(&'static str),
    /// Not a legal name of an object type.
    #[error("not a legal type name")]
    TypeName,
    /// Not a timestamp.
    #[error("not a timestamp: {0}")]
    Time(#[from] TimeError),
    /// The object is of another version of STIX.
    #[error("spec_version is not 2.1")]
    SpecVersion,
    /// A number outside its range.
    #[error("must be {0}")]
    Range(&'static str),
    /// Two timestamps that contradict each other.
    #[error("must {0}")]
    Order(&'static str),
    /// An indicator's pattern that is not a STIX pattern.
    #[error("not a STIX pattern: {0}")]
    Pattern(PatternError),
    /// The lease extension is wrong.
    #[error("the lease extension is wrong: {0}")]
    Lease(Box<str>),
    /// The lease extension's selector is not what the indicator's pattern speaks of.
    #[error("the lease asks for more than the pattern says")]
    LeaseBeyondPattern,
    /// Another rule of STIX 2.1 is broken.
    #[error("{what}{}", also(*.more))]
    Broken {
        /// The rule.
        rule: Cow<'static, str>,
        /// What is wrong.
        what: Cow<'static, str>,
        /// What would mend it.
        mend: Cow<'static, str>,
        /// How many more rules the object breaks.
        more: usize,
    },
}

fn also(more: usize) -> String {
    match more {
        0 => String::new(),
        more => format!(", and {more} more faults"),
    }
}

impl Fault {
    fn rule(&self) -> &str {
        match self {
            Self::NotJson(_) | Self::DuplicateKey => "RFC 8259; I-JSON, RFC 7493 section 2.3",
            Self::TooLong { .. } | Self::TooDeep { .. } => "a bound of this exchange",
            Self::Missing => "STIX 2.1 section 3.2 and the object's own section",
            Self::Type(_) => "STIX 2.1 section 2",
            Self::Id(_) | Self::IdKind(_) => "STIX 2.1 section 2.9",
            Self::TypeName => "STIX 2.1 sections 3.1 and 3.2",
            Self::Time(_) => "STIX 2.1 section 2.16",
            Self::SpecVersion => "STIX 2.1 section 3.2",
            Self::Range(_) | Self::Order(_) => "STIX 2.1 section 3.2 and the object's own section",
            Self::Pattern(_) => "STIX 2.1 section 9",
            Self::Lease(_) | Self::LeaseBeyondPattern => "the lease extension's schema",
            Self::Broken { rule, .. } => rule,
        }
    }

    fn mend(&self) -> &str {
        match self {
            Self::NotJson(_) => "send one JSON object in UTF-8",
            Self::TooLong { .. } => "send less in one piece",
            Self::TooDeep { .. } => "flatten the object",
            Self::DuplicateKey => "keep one of the two",
            Self::Missing => "add the property",
            Self::Type(_) => "write the value in the type that the property has",
            Self::Id(_) => "write type--UUID in lower case",
            Self::IdKind(_) => "refer to an object of the type that the property asks for",
            Self::TypeName => "use 3 to 250 of a-z, 0-9 and single hyphens, and the type of the id",
            Self::Time(_) => "write YYYY-MM-DDThh:mm:ss.sssZ",
            Self::SpecVersion => "set spec_version to \"2.1\", after converting the object",
            Self::Range(_) => "write a number within the range",
            Self::Order(_) => "correct one of the two timestamps",
            Self::Pattern(_) => "correct the pattern, or set pattern_type to the language it is in",
            Self::Lease(_) => "follow the schema in the extension definition",
            Self::LeaseBeyondPattern => "let the selector be one of the pattern's own terms",
            Self::Broken { mend, .. } => mend,
        }
    }
}
