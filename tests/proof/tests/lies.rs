//! What a lying provider says is not believed.

use rescind_proof::lies::{self, Options};

#[tokio::test(flavor = "multi_thread")]
async fn no_lie_is_called_a_success_and_true_proof_settles_every_doubt() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options {
        quick: true,
        ..Options::default()
    };
    assert!(lies::shapes() >= 80);
    let verdict = lies::run(options, folder.path(), |_, _| {}).await;
    assert!(verdict.met(), "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_judge_sees_a_clean_yes_without_the_deed() {
    let folder = tempfile::tempdir().expect("a folder");
    let verdict = lies::control(folder.path()).await;
    assert!(!verdict.met(), "{verdict}");
    assert!(verdict.to_string().contains("FALSE entra"), "{verdict}");
    assert!(verdict.to_string().contains("FALSE workspace"), "{verdict}");
}
