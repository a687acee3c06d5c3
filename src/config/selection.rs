//! Which config vars are watched, and as what the program gets them: no two as one.

use std::collections::BTreeSet;

use crate::cli;
use crate::credential::snapshot::Watched;
use crate::credential::{Followed, Reserved, Selection};

use super::given::{Given, Lookup, UsageError};
use super::words;

impl Lookup<'_> {
    pub(super) fn selection(&self, source: &cli::Source) -> Result<Selection, UsageError> {
        let mut vars = self.list("var", source.var.clone())?;
        let databases = self.list("database", source.database.clone())?;
        if vars.is_empty() && databases.is_empty() {
            vars.push(self.text_or_default("var", None)?);
        }
        let mut watched: Vec<Watched> = Vec::new();
        let mut exported = BTreeSet::new();
        for var in &vars {
            let one = words::watched(var)?;
            let name = one.export_as.as_ref().unwrap_or(&one.pattern);
            let mend = "leave one of the two out, or rename one with =AS";
            if !exported.insert(name.clone()) {
                let why = format!("but another --var already gives the program a variable {name}");
                return Err(var.wrong(&why, mend));
            }
            if watched.iter().any(|known| known.pattern == one.pattern) {
                let why = "but another --var exports the same config var, and it can have one name";
                return Err(var.wrong(why, "leave one of the two out"));
            }
            watched.push(one);
        }
        let followed = followed(&databases, &watched, exported)?;
        let reserved = if self.switch("allow-reserved", source.allow_reserved)? {
            Reserved::HandedOn
        } else {
            for (given, one) in vars.iter().zip(&watched) {
                words::not_reserved(given, one.export_as.as_ref().unwrap_or(&one.pattern))?;
            }
            for (given, one) in databases.iter().zip(&followed) {
                words::not_reserved(given, &one.export_as)?;
            }
            Reserved::KeptOut
        };
        Ok(Selection {
            databases: followed,
            watched,
            all_vars: self.switch("all-vars", source.all_vars)?,
            reserved,
        })
    }
}

fn followed(
    databases: &[Given<String>],
    watched: &[Watched],
    mut exported: BTreeSet<String>,
) -> Result<Vec<Followed>, UsageError> {
    let mut followed: Vec<Followed> = Vec::new();
    for given in databases {
        let one = words::followed(given)?;
        if !exported.insert(one.export_as.clone()) {
            let name = &one.export_as;
            let why = format!(
                "but another --database or --var already gives the program a variable {name}"
            );
            let mend = format!("leave one of the two out, or write {}=AS", one.name);
            return Err(given.wrong(&why, &mend));
        }
        let is_known = followed.iter().any(|known| known.name == one.name)
            || watched.iter().any(|known| known.pattern == one.name);
        if is_known {
            let why = "but another --database or --var watches the same name";
            return Err(given.wrong(why, "leave one of the two out"));
        }
        followed.push(one);
    }
    Ok(followed)
}
