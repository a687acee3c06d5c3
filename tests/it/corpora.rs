//! What the fuzzer (`tests/fuzz`) starts from and has found, held against the same laws, those in
//! `changeover::testing::laws`: one folder for each target, one file for each input.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use changeover::testing::laws::{self, TARGETS};

/// Fewer would not be worth a target.
const INPUTS_MIN: usize = 10;

#[test]
fn every_corpus_holds() {
    let mut broken = Vec::new();
    for (target, _) in TARGETS {
        let inputs = entries(&corpora().join(target));
        for path in &inputs {
            let input = fs::read(path).unwrap();
            let told = String::from_utf8_lossy(&input);
            if let Err(law) = laws::hold(target, &input) {
                broken.push(format!("{}: {law}: {told:?}", path.display()));
            }
        }
        let count = inputs.len();
        assert!(count >= INPUTS_MIN, "{count} inputs for {target}");
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// What is not run finds nothing.
#[test]
fn each_target_has_its_program_and_its_corpus() {
    let expected: BTreeSet<_> = TARGETS.map(|(name, _)| name.to_owned()).into();
    let stems = |folder: &Path| -> BTreeSet<_> {
        let entries = entries(folder).into_iter();
        let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        entries.map(stem).collect()
    };
    assert_eq!(stems(&corpora()), expected);
    let programs = corpora().with_file_name("fuzz_targets");
    assert_eq!(stems(&programs), expected);
    let manifest = fs::read_to_string(corpora().with_file_name("Cargo.toml")).unwrap();
    for (target, _) in TARGETS {
        let program = fs::read_to_string(programs.join(format!("{target}.rs"))).unwrap();
        assert!(program.contains(&format!("\"{target}\"")), "{target}");
        let path = format!("path = \"fuzz_targets/{target}.rs\"");
        assert!(manifest.contains(&path), "{target}");
    }
}

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}
