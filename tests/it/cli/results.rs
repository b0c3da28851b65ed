//! `analyze` over result files of every kind that it reads: as text, as JSON, as CSV.

use std::fs;
use std::path::Path;

use rstest::rstest;

use crate::support::Stage;

#[rstest]
#[case::batchtop("batchtop", &["batchtop.results.jsonl", "batchtop.errors.jsonl"])]
#[case::openai("openai", &["openai.output.jsonl", "openai.errors.jsonl"])]
#[case::openai_responses("openai-responses", &["openai.responses.jsonl"])]
#[case::vllm("vllm", &["vllm.jsonl"])]
#[case::vllm_0_4_2("vllm-0.4.2", &["vllm-0.4.2.jsonl"])]
#[case::vllm_embeddings("vllm-embeddings", &["vllm.embeddings.jsonl"])]
fn result_files_of_every_kind_are_understood(#[case] name: &str, #[case] files: &[&str]) {
    let stage = Stage::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/results");
    for file in files {
        stage.write(file, fs::read(folder.join(file)).unwrap());
    }
    let files = files.join(" ");
    let finished = stage.run(&format!("analyze {files}")).with(0);
    assert_eq!(finished.err, "");
    insta::assert_snapshot!(format!("{name}-text"), finished.out);
    let finished = stage
        .run(&format!("analyze {files} --json --csv out.csv"))
        .with(0);
    insta::assert_snapshot!(format!("{name}-json"), finished.out);
    insta::assert_snapshot!(format!("{name}-csv"), stage.read("out.csv"));
}
