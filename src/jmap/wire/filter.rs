//! FilterOperator trees and Comparators (RFC 8620 §5.5), before any type gives them a meaning.
use serde_json::Value;

use super::error::MethodError;
use crate::mime::casemap::Collation;

/// Levels of AND / OR / NOT.
const DEPTH: usize = 32;

/// A filter whose leaves are a type's own conditions.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter<C> {
    /// How they go together.
    pub tree: Tree,
    /// The conditions.
    pub conditions: Vec<C>,
}

/// Conditions put together.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    /// All of them hold; an empty one always does.
    And(Vec<Tree>),
    /// At least one holds.
    Or(Vec<Tree>),
    /// None holds.
    Not(Vec<Tree>),
    /// The condition of this number.
    Is(usize),
}

/// Understands a property of a FilterCondition, and gives it a number.
type Leaf<'a> = &'a mut dyn FnMut(&str, Value) -> Result<usize, MethodError>;

impl<C> Filter<C> {
    /// Reads a filter argument; null matches everything. `leaf` gives the condition of one
    /// property of a FilterCondition: several on one object are an AND (RFC 8621 §4.4.1).
    pub fn parse(
        value: Value,
        leaf: &mut dyn FnMut(&str, Value) -> Result<C, MethodError>,
    ) -> Result<Filter<C>, MethodError> {
        let mut conditions = Vec::new();
        let tree = parse(
            value,
            &mut |name, value| {
                conditions.push(leaf(name, value)?);
                Ok(conditions.len() - 1)
            },
            DEPTH,
        )?;
        Ok(Filter { tree, conditions })
    }

    /// Whether a record matches, told condition by condition.
    pub fn matches(&self, holds: &mut dyn FnMut(&C) -> bool) -> bool {
        let mut holds = |at: usize| self.conditions.get(at).is_some_and(&mut *holds);
        self.tree.matches(&mut holds)
    }
}

impl Tree {
    fn matches(&self, holds: &mut dyn FnMut(usize) -> bool) -> bool {
        match self {
            Tree::And(all) => all.iter().all(|it| it.matches(holds)),
            Tree::Or(any) => any.iter().any(|it| it.matches(holds)),
            Tree::Not(none) => !none.iter().any(|it| it.matches(holds)),
            Tree::Is(condition) => holds(*condition),
        }
    }
}

fn parse(value: Value, leaf: Leaf<'_>, depth: usize) -> Result<Tree, MethodError> {
    let mut map = match value {
        Value::Null if depth == DEPTH => return Ok(Tree::And(Vec::new())),
        Value::Object(map) => map,
        _ => return Err(MethodError::invalid("a filter is an object or null")),
    };
    let mut inner = Vec::new();
    let Some(operator) = map.remove("operator") else {
        for (name, value) in map {
            inner.push(Tree::Is(leaf(&name, value)?));
        }
        return Ok(match inner.len() {
            1 => inner.remove(0),
            _ => Tree::And(inner),
        });
    };
    let Some(Value::Array(conditions)) = map.remove("conditions") else {
        return Err(MethodError::invalid(
            "a FilterOperator has an array of conditions",
        ));
    };
    if !map.is_empty() {
        return Err(MethodError::invalid(
            "a FilterOperator has operator and conditions only",
        ));
    }
    let depth = depth
        .checked_sub(1)
        .ok_or_else(|| MethodError::new("unsupportedFilter").because("nested too deep"))?;
    for value in conditions {
        inner.push(parse(value, leaf, depth)?);
    }
    match operator.as_str() {
        Some("AND") => Ok(Tree::And(inner)),
        Some("OR") => Ok(Tree::Or(inner)),
        Some("NOT") => Ok(Tree::Not(inner)),
        _ => Err(MethodError::invalid("operator must be AND, OR or NOT")),
    }
}

/// One sort criterion.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparator {
    /// The property compared.
    pub property: String,
    /// Not descending.
    pub ascending: bool,
    /// The collation asked for, or else i;unicode-casemap.
    pub collation: Collation,
    /// The keyword of the `...Keyword` sorts (RFC 8621 §4.4.2).
    pub keyword: Option<String>,
}

/// Comparators in one sort.
const COMPARATORS: usize = 8;

/// Reads a sort argument; null is the server's own order. A comparator of a form that no method
/// here knows is unsupportedSort.
pub fn sort(value: Value) -> Result<Vec<Comparator>, MethodError> {
    let items = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(items) => items,
        _ => {
            return Err(MethodError::invalid(
                "sort must be an array of comparators or null",
            ));
        }
    };
    if items.len() > COMPARATORS {
        return Err(MethodError::new("unsupportedSort").because("too many comparators"));
    }
    items.into_iter().map(comparator).collect()
}

fn comparator(value: Value) -> Result<Comparator, MethodError> {
    let Value::Object(map) = value else {
        return Err(MethodError::invalid("a comparator is an object"));
    };
    let mut args = super::args::Args::new(map);
    let property = args.required("property")?;
    let ascending = match args.value("isAscending") {
        Value::Null => true,
        Value::Bool(value) => value,
        _ => return Err(MethodError::invalid("isAscending must be true or false")),
    };
    let collation = match args.text("collation")? {
        Some(name) => Collation::named(&name)
            .ok_or_else(|| MethodError::new("unsupportedSort").because("unknown collation"))?,
        None => Collation::default(),
    };
    let keyword = args.text("keyword")?;
    // RFC 8620 §5.5: a comparator may have further properties; some clients send a query's.
    Ok(Comparator {
        property,
        ascending,
        collation,
        keyword,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(value: Value) -> Result<Filter<(String, Value)>, &'static str> {
        Filter::parse(value, &mut |name, value| Ok((name.to_owned(), value)))
            .map_err(|e| &*e.kind().to_owned().leak())
    }

    #[test]
    fn operators() {
        let filter = of(json!({"operator": "NOT", "conditions": [
            {"operator": "OR", "conditions": [{"a": 1}, {"b": 2}]}, {"c": 3, "d": 4}]}))
        .unwrap();
        let truth = |names: &[&str]| filter.matches(&mut |(n, _)| names.contains(&n.as_str()));
        assert!(truth(&[]));
        assert!(truth(&["c"]));
        assert!(!truth(&["a"]));
        assert!(!truth(&["c", "d"]));
        assert!(of(Value::Null).unwrap().matches(&mut |_| false));
        assert!(of(json!({})).unwrap().matches(&mut |_| false));
        assert!(
            !of(json!({"operator": "OR", "conditions": []}))
                .unwrap()
                .matches(&mut |_| true)
        );
    }

    #[test]
    fn refusals() {
        assert_eq!(of(json!([])), Err("invalidArguments"));
        assert_eq!(
            of(json!({"operator": "XOR", "conditions": []})),
            Err("invalidArguments")
        );
        assert_eq!(of(json!({"operator": "AND"})), Err("invalidArguments"));
        let mut deep = json!({});
        for _ in 0..40 {
            deep = json!({"operator": "AND", "conditions": [deep]});
        }
        assert_eq!(of(deep), Err("unsupportedFilter"));
    }
}
