//! From tokens to a syntax tree: the whole of the OASIS grammar `STIXPattern.g4`, so that what is
//! legal but cannot be enforced is told apart from what is illegal.

use std::borrow::Cow;

use smallvec::{SmallVec, smallvec};

use super::error::Refusal;
use super::lexer::{Constant, Kind, Lexer, Token, unquoted};
use super::tree::{
    Comparison, Observation, Operand, Operator, Path, Qualifier, Relation, Step, Test,
};

/// Deepest nesting of parentheses.
pub(super) const DEPTH_MAX: usize = 32;

/// Reads a whole pattern.
pub(super) fn read(text: &str) -> Result<Observation<'_>, Refusal> {
    let mut lexer = Lexer::new(text);
    let token = lexer.next()?;
    let mut parser = Parser {
        text,
        lexer,
        token,
        depth: 0,
        closed: false,
    };
    let observation = parser.observations()?;
    match parser.token.kind == Kind::End {
        true => Ok(observation),
        false => Err(parser.unexpected("an operator between observations, a qualifier or the end")),
    }
}

type Operands<'a> = SmallVec<[Operand<'a>; 1]>;

struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    /// The next token, not taken yet.
    token: Token<'a>,
    depth: usize,
    /// Whether the last observation ended with a parenthesis.
    closed: bool,
}

impl<'a> Parser<'a> {
    /// `FOLLOWEDBY` binds least, then `OR`, then `AND`.
    fn observations(&mut self) -> Result<Observation<'a>, Refusal> {
        self.joined(Operator::FollowedBy, |parser| {
            parser.joined(Operator::Or, |parser| {
                parser.joined(Operator::And, Self::qualified)
            })
        })
    }

    fn joined(
        &mut self,
        operator: Operator,
        operand: impl Fn(&mut Self) -> Result<Observation<'a>, Refusal>,
    ) -> Result<Observation<'a>, Refusal> {
        let first = operand(self)?;
        let at = self.token.at;
        if !self.take(operator.keyword())? {
            return Ok(first);
        }
        let mut parts = vec![first, operand(self)?];
        while self.take(operator.keyword())? {
            parts.push(operand(self)?);
        }
        Ok(Observation::Joined {
            operator,
            at,
            parts,
        })
    }

    fn qualified(&mut self) -> Result<Observation<'a>, Refusal> {
        let mut observation = self.observation()?;
        let direct = matches!(observation, Observation::Test(_)) && !self.closed;
        loop {
            let at = self.token.at;
            let Some(qualifier) = self.qualifier()? else {
                return Ok(observation);
            };
            observation = Observation::Qualified {
                inner: Box::new(observation),
                qualifier,
                at,
                direct,
            };
        }
    }

    fn observation(&mut self) -> Result<Observation<'a>, Refusal> {
        if self.take("[")? {
            let comparison = self.comparisons()?;
            self.expect("]")?;
            self.closed = false;
            return Ok(Observation::Test(comparison));
        }
        if self.take("(")? {
            let inner = self.nested(Self::observations)?;
            self.closed = true;
            return Ok(inner);
        }
        Err(self.unexpected("'[' or '('"))
    }

    fn qualifier(&mut self) -> Result<Option<Qualifier<'a>>, Refusal> {
        if self.take("WITHIN")? {
            let kinds = [Constant::Integer, Constant::Float];
            let seconds = self.positive(&kinds, "a number without '-'")?;
            self.expect("SECONDS")?;
            return Ok(Some(Qualifier::Within(seconds)));
        }
        if self.take("REPEATS")? {
            let times = self.positive(&[Constant::Integer], "a whole number without '-'")?;
            self.expect("TIMES")?;
            return Ok(Some(Qualifier::Repeats(times)));
        }
        if self.take("START")? {
            let start = self.positive(&[Constant::Time], "a timestamp t'…'")?;
            self.expect("STOP")?;
            let stop = self.positive(&[Constant::Time], "a timestamp t'…'")?;
            return Ok(Some(Qualifier::StartStop(inside(start), inside(stop))));
        }
        Ok(None)
    }

    /// The text of a constant of one of these kinds, without a minus.
    fn positive(&mut self, kinds: &[Constant], wanted: &str) -> Result<&'a str, Refusal> {
        let Token { at, text, kind } = self.token;
        let fits = matches!(kind, Kind::Constant(constant) if kinds.contains(&constant));
        match fits && !text.starts_with('-') {
            true => self.advance().map(|()| text),
            false => Err(expected(at, text, wanted)),
        }
    }

    /// `OR` binds less than `AND`.
    fn comparisons(&mut self) -> Result<Comparison<'a>, Refusal> {
        let first = self.comparison_and()?;
        if !self.take("OR")? {
            return Ok(first);
        }
        let mut parts = vec![first, self.comparison_and()?];
        while self.take("OR")? {
            parts.push(self.comparison_and()?);
        }
        Ok(Comparison::Or(parts))
    }

    fn comparison_and(&mut self) -> Result<Comparison<'a>, Refusal> {
        let first = self.test()?;
        let at = self.token.at;
        if !self.take("AND")? {
            return Ok(first);
        }
        let mut parts = vec![first, self.test()?];
        while self.take("AND")? {
            parts.push(self.test()?);
        }
        Ok(Comparison::And { at, parts })
    }

    fn test(&mut self) -> Result<Comparison<'a>, Refusal> {
        if self.take("(")? {
            return self.nested(Self::comparisons);
        }
        let not = self.take_not()?;
        let operator_at = self.token.at;
        if self.take("EXISTS")? {
            let path = self.path()?;
            return Ok(Comparison::Test(Test {
                path,
                not,
                relation: Relation::Exists,
                operator_at,
                operands: SmallVec::new(),
            }));
        }
        if not.is_some() {
            return Err(self.unexpected(
                "EXISTS after NOT; before another operator NOT stands after the property",
            ));
        }
        let path = self.path()?;
        let not = self.take_not()?;
        let operator_at = self.token.at;
        let (relation, operands) = self.relation()?;
        Ok(Comparison::Test(Test {
            path,
            not,
            relation,
            operator_at,
            operands,
        }))
    }

    /// An operator and what stands after it.
    fn relation(&mut self) -> Result<(Relation, Operands<'a>), Refusal> {
        use Relation as R;
        let fixed = matches!(self.token.kind, Kind::Comparison | Kind::Keyword);
        let Some(relation) = Relation::of(self.token.text).filter(|_| fixed) else {
            return Err(self.unexpected("a comparison operator"));
        };
        self.advance()?;
        if relation == R::In {
            return Ok((relation, self.set()?));
        }
        let text_only = matches!(relation, R::Like | R::Matches | R::Subset | R::Superset);
        let ordered = matches!(relation, R::Less | R::AtMost | R::Greater | R::AtLeast);
        let wanted = if text_only { "a string" } else { "a constant" };
        let operand = self.operand(wanted)?;
        let constant = operand.constant;
        let wanted = if text_only && constant != Constant::Text {
            Some("a string")
        } else if ordered && constant == Constant::Boolean {
            Some("a constant that has an order")
        } else {
            None
        };
        match wanted {
            None => Ok((relation, smallvec![operand])),
            Some(wanted) => Err(expected(operand.at, &operand.value, wanted)),
        }
    }

    fn set(&mut self) -> Result<Operands<'a>, Refusal> {
        self.expect("(")?;
        let mut operands = Operands::new();
        if self.take(")")? {
            return Ok(operands);
        }
        loop {
            operands.push(self.operand("a constant")?);
            if !self.take(",")? {
                self.expect(")")?;
                return Ok(operands);
            }
        }
    }

    fn operand(&mut self, wanted: &str) -> Result<Operand<'a>, Refusal> {
        let Token { at, text, kind } = self.token;
        let Kind::Constant(constant) = kind else {
            return Err(self.unexpected(wanted));
        };
        self.advance()?;
        let value = if constant == Constant::Text {
            unquoted(text)
        } else {
            Cow::Borrowed(text)
        };
        Ok(Operand {
            at,
            constant,
            value,
        })
    }

    fn path(&mut self) -> Result<Path<'a>, Refusal> {
        let Token {
            at,
            text: object,
            kind,
        } = self.token;
        if !matches!(kind, Kind::Name | Kind::HyphenName) {
            return Err(self.unexpected("an object path such as ipv4-addr:value"));
        }
        self.advance()?;
        self.expect(":")?;
        let (first, mut end) = self.key()?;
        let mut steps = smallvec![first];
        loop {
            let (step, step_end) = match self.token.text {
                "." if self.token.kind == Kind::Punctuation => {
                    self.advance()?;
                    self.key()?
                }
                "[" if self.token.kind == Kind::Punctuation => self.index()?,
                _ => break,
            };
            steps.push(step);
            end = step_end;
        }
        Ok(Path {
            at,
            object,
            steps,
            text: self.text.get(at..end).unwrap_or(object),
        })
    }

    fn key(&mut self) -> Result<(Step<'a>, usize), Refusal> {
        let Token { at, text, kind } = self.token;
        let quoted = kind == Kind::Constant(Constant::Text);
        if !quoted && kind != Kind::Name {
            return Err(self.unexpected("a property name; one with a hyphen stands in quotes"));
        }
        self.advance()?;
        let key = if quoted {
            unquoted(text)
        } else {
            Cow::Borrowed(text)
        };
        Ok((Step::Key(key), at.saturating_add(text.len())))
    }

    fn index(&mut self) -> Result<(Step<'a>, usize), Refusal> {
        self.expect("[")?;
        let step = match (self.token.kind, self.token.text) {
            (Kind::Punctuation, "*") => Step::Any,
            (Kind::Constant(Constant::Integer), text) if !text.starts_with('-') => {
                let digits = text.trim_start_matches('+');
                Step::Index(digits.parse().unwrap_or(usize::MAX))
            }
            _ => return Err(self.unexpected("a whole number without '-', or '*',")),
        };
        self.advance()?;
        let end = self.token.at.saturating_add(self.token.text.len());
        self.expect("]")?;
        Ok((step, end))
    }

    /// What stands in parentheses, the closing one included.
    fn nested<T>(&mut self, inner: impl Fn(&mut Self) -> Result<T, Refusal>) -> Result<T, Refusal> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > DEPTH_MAX {
            let what = format!("more than {DEPTH_MAX} parentheses inside each other");
            return Err(Refusal::bound(
                self.token.at,
                what,
                "take out the needless ones",
            ));
        }
        let value = inner(self)?;
        self.expect(")")?;
        self.depth = self.depth.saturating_sub(1);
        Ok(value)
    }

    fn take_not(&mut self) -> Result<Option<usize>, Refusal> {
        let at = self.token.at;
        Ok(self.take("NOT")?.then_some(at))
    }

    /// Takes the next token if it is this keyword or punctuation.
    fn take(&mut self, text: &str) -> Result<bool, Refusal> {
        let fixed = matches!(self.token.kind, Kind::Keyword | Kind::Punctuation);
        let found = fixed && self.token.text == text;
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, text: &str) -> Result<(), Refusal> {
        match self.take(text)? {
            true => Ok(()),
            false => Err(self.unexpected(&format!("'{text}'"))),
        }
    }

    fn advance(&mut self) -> Result<(), Refusal> {
        self.token = self.lexer.next()?;
        Ok(())
    }

    fn unexpected(&self, wanted: &str) -> Refusal {
        expected(self.token.at, self.token.text, wanted)
    }
}

/// What stands between the quotes of a timestamp.
fn inside(text: &str) -> &str {
    text.trim_start_matches('t').trim_matches('\'')
}

fn expected(at: usize, found: &str, wanted: &str) -> Refusal {
    const SHOWN_CHARS_MAX: usize = 40;
    let what = match found.chars().take(SHOWN_CHARS_MAX).collect::<String>() {
        end if end.is_empty() => format!("the pattern ends where {wanted} is expected"),
        shown => format!("{shown:?} stands where {wanted} is expected"),
    };
    Refusal::syntax(at, what, mend(found, wanted))
}

/// What would mend that `found` stands where `wanted` is expected.
fn mend(found: &str, wanted: &str) -> &'static str {
    const KEYWORDS: &str = "write keywords in capitals, and true and false in small letters";
    let is_word = found.bytes().all(|b| b.is_ascii_alphabetic()) && !found.is_empty();
    match (found, wanted) {
        ("", "'[' or '('") => "write at least one observation: [object-type:property = 'value']",
        (_, "'[' or '('") => "put each observation into brackets: [object-type:property = 'value']",
        ("null", _) => "there is no null; ask with EXISTS or NOT EXISTS",
        (_, "a constant") => "put strings into single quotes; true and false are in small letters",
        (_, "a string") => "put it into single quotes",
        (_, "a timestamp t'…'") => "write t'YYYY-MM-DDThh:mm:ssZ'",
        ("", _) => "complete it, and close what is open",
        _ if is_word && super::lexer::is_keyword(&found.to_ascii_uppercase()) => KEYWORDS,
        _ => "follow the grammar of STIX 2.1 section 9",
    }
}
