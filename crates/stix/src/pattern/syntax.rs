//! From tokens to a syntax tree: the whole of the OASIS grammar `STIXPattern.g4`, so that what is
//! legal but cannot be enforced is told apart from what is illegal.

use std::borrow::Cow;

use super::error::Refusal;
use super::lexer::{Constant, Kind, Lexer, Token, unquoted};
use super::tree::{Comparison, Observation, Operand, Operator, Path, Qualifier, Step, Test};

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
    };
    let observation = parser.observations()?;
    match parser.token.kind == Kind::End {
        true => Ok(observation),
        false => Err(parser.unexpected("an operator between observations, a qualifier or the end")),
    }
}

struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    /// The next token, not taken yet.
    token: Token<'a>,
    depth: usize,
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
        let mut parts = vec![first];
        while self.take(operator.keyword())? {
            parts.push(operand(self)?);
        }
        match parts.pop() {
            Some(only) if parts.is_empty() => Ok(only),
            last => {
                parts.extend(last);
                Ok(Observation::Joined {
                    operator,
                    at,
                    parts,
                })
            }
        }
    }

    fn qualified(&mut self) -> Result<Observation<'a>, Refusal> {
        let mut observation = self.observation()?;
        loop {
            let at = self.token.at;
            let Some(qualifier) = self.qualifier()? else {
                return Ok(observation);
            };
            observation = Observation::Qualified {
                inner: Box::new(observation),
                qualifier,
                at,
            };
        }
    }

    fn observation(&mut self) -> Result<Observation<'a>, Refusal> {
        if self.take("[")? {
            let comparison = self.comparisons()?;
            self.expect("]")?;
            return Ok(Observation::Test(comparison));
        }
        if self.take("(")? {
            return self.nested(Self::observations);
        }
        Err(self.unexpected("'[' or '('"))
    }

    fn qualifier(&mut self) -> Result<Option<Qualifier>, Refusal> {
        if self.take("WITHIN")? {
            self.positive(
                &[Constant::Integer, Constant::Float],
                "a number without '-'",
            )?;
            self.expect("SECONDS")?;
            return Ok(Some(Qualifier::Within));
        }
        if self.take("REPEATS")? {
            self.positive(&[Constant::Integer], "a whole number without '-'")?;
            self.expect("TIMES")?;
            return Ok(Some(Qualifier::Repeats));
        }
        if self.take("START")? {
            self.positive(&[Constant::Time], "a timestamp t'…'")?;
            self.expect("STOP")?;
            self.positive(&[Constant::Time], "a timestamp t'…'")?;
            return Ok(Some(Qualifier::StartStop));
        }
        Ok(None)
    }

    fn positive(&mut self, kinds: &[Constant], wanted: &str) -> Result<(), Refusal> {
        let operand = self.operand(wanted)?;
        let fits = kinds.contains(&operand.constant) && !operand.value.starts_with('-');
        match fits {
            true => Ok(()),
            false => Err(expected(operand.at, &operand.value, wanted)),
        }
    }

    /// `OR` binds less than `AND`.
    fn comparisons(&mut self) -> Result<Comparison<'a>, Refusal> {
        let mut parts = vec![self.comparison_and()?];
        while self.take("OR")? {
            parts.push(self.comparison_and()?);
        }
        Ok(match parts.pop() {
            Some(only) if parts.is_empty() => only,
            last => {
                parts.extend(last);
                Comparison::Or(parts)
            }
        })
    }

    fn comparison_and(&mut self) -> Result<Comparison<'a>, Refusal> {
        let first = self.test()?;
        let at = self.token.at;
        let mut parts = vec![first];
        while self.take("AND")? {
            parts.push(self.test()?);
        }
        Ok(match parts.pop() {
            Some(only) if parts.is_empty() => only,
            last => {
                parts.extend(last);
                Comparison::And { at, parts }
            }
        })
    }

    fn test(&mut self) -> Result<Comparison<'a>, Refusal> {
        if self.take("(")? {
            return self.nested(Self::comparisons);
        }
        let not = self.take_not()?;
        let operator_at = self.token.at;
        if self.take("EXISTS")? {
            let path = self.path()?;
            let operator = "EXISTS";
            return Ok(Comparison::Test(Test {
                path,
                not,
                operator,
                operator_at,
                operands: vec![],
            }));
        }
        if not.is_some() {
            return Err(self.unexpected(
                "EXISTS after NOT; before another operator NOT stands after the property",
            ));
        }
        let path = self.path()?;
        let not = self.take_not()?;
        let (operator, operator_at) = (self.token.text, self.token.at);
        let operands = self.operator()?;
        Ok(Comparison::Test(Test {
            path,
            not,
            operator,
            operator_at,
            operands,
        }))
    }

    /// An operator and what stands after it.
    fn operator(&mut self) -> Result<Vec<Operand<'a>>, Refusal> {
        let operator = self.token.text;
        match (self.token.kind, operator) {
            (Kind::Comparison, _) => {
                self.advance()?;
                let operand = self.operand("a constant")?;
                let equality = matches!(operator, "=" | "==" | "!=" | "<>");
                match equality || operand.constant != Constant::Boolean {
                    true => Ok(vec![operand]),
                    false => Err(expected(
                        operand.at,
                        &operand.value,
                        "a constant that has an order",
                    )),
                }
            }
            (Kind::Keyword, "LIKE" | "MATCHES" | "ISSUBSET" | "ISSUPERSET") => {
                self.advance()?;
                let operand = self.operand("a string")?;
                match operand.constant == Constant::Text {
                    true => Ok(vec![operand]),
                    false => Err(expected(operand.at, &operand.value, "a string")),
                }
            }
            (Kind::Keyword, "IN") => {
                self.advance()?;
                self.set()
            }
            _ => Err(self.unexpected("a comparison operator")),
        }
    }

    fn set(&mut self) -> Result<Vec<Operand<'a>>, Refusal> {
        self.expect("(")?;
        let mut operands = Vec::new();
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
        let mut steps = vec![first];
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
            (Kind::Constant(Constant::Integer), _) => Step::Index,
            _ => return Err(self.unexpected("a whole number or '*'")),
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

fn expected(at: usize, found: &str, wanted: &str) -> Refusal {
    const SHOWN_CHARS_MAX: usize = 40;
    let what = match found.chars().take(SHOWN_CHARS_MAX).collect::<String>() {
        end if end.is_empty() => format!("the pattern ends where {wanted} is expected"),
        shown => format!("{shown:?} stands where {wanted} is expected"),
    };
    Refusal::syntax(at, what, "follow STIX 2.1 section 9")
}
