//! Command-line options.

use crate::operations::{OPERATIONS, Operation};
use std::path::PathBuf;
use tests::project;

/// The usage text.
pub const HELP: &str = "\
tests/bench [--json] [--docs] [--only NAME]… [--cold N] [--rounds N] [--growth SIZES] [--growth-rounds N] [--programs DIR]
  --json           the figures as JSON, alone on standard output
  --docs           writes table and chart into docs/
  --only NAME      only operations whose name begins so, such as product-get; may be repeated
  --cold N         starts of each function (41); 0 for none
  --rounds N       events of each operation (1000); 0 for none
  --growth SIZES   sizes of the table, parted by commas (1000,100000); `none` for none
  --growth-rounds N  events of each operation at each size (400)
  --programs DIR   functions that are built already, such as target/lambda";

/// The parsed options. The usage text describes them.
pub struct Options {
    pub json: bool,
    pub docs: bool,
    pub operations: Vec<Operation>,
    pub cold: u32,
    pub rounds: u32,
    pub growth: Vec<u32>,
    pub growth_rounds: u32,
    pub programs: PathBuf,
}

impl Options {
    /// Parses the arguments of the command line.
    pub fn read(words: &[String]) -> Result<Self, String> {
        let mut options = Self {
            json: false,
            docs: false,
            operations: Vec::new(),
            cold: 41,
            rounds: 1_000,
            growth: vec![1_000, 100_000],
            growth_rounds: 400,
            programs: project::root().join("target/release"),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            let number = |text: &String| text.parse().map_err(|_| format!("{text} is no whole number"));
            match word.as_str() {
                "--json" => options.json = true,
                "--docs" => options.docs = true,
                "--only" => {
                    let name = value()?;
                    let named =
                        OPERATIONS.into_iter().filter(|operation| operation.name.starts_with(name.as_str()));
                    options.operations.extend(named);
                }
                "--cold" => options.cold = number(value()?)?,
                "--rounds" => options.rounds = number(value()?)?,
                "--growth" => {
                    let sizes = value()?;
                    let sizes = sizes.split(',').filter(|size| *size != "none");
                    options.growth = sizes.map(|size| number(&size.to_owned())).collect::<Result<_, _>>()?;
                    if options.growth.iter().any(|size| *size < 1_000) {
                        return Err("a table has at least 1000 products or concerts".to_owned());
                    }
                }
                "--growth-rounds" => options.growth_rounds = number(value()?)?,
                "--programs" => options.programs = project::root().join(value()?),
                _ => return Err(format!("there is no {word}")),
            }
        }
        if options.operations.is_empty() {
            options.operations = OPERATIONS.to_vec();
        }
        Ok(options)
    }
}
