//! What can be read back.

use rescind_core::provider::Proof;

use crate::stage::{Stage, cx};
use crate::wire::{asps, error, no_such_user, ok, tokens};

async fn read(stage: &Stage, ids: &[&str]) -> Vec<Proof> {
    let ids: Vec<_> = ids.iter().map(|id| (*id).to_owned()).collect();
    stage
        .evidence()
        .read(&cx(), &ids)
        .await
        .expect("it can be asked")
}

#[tokio::test]
async fn the_proof_counts_what_is_left() {
    let stage = Stage::new().await;
    stage.on("GET", "users/1/asps", 1, ok(asps(&[7]))).await;
    stage
        .on("GET", "users/1/tokens", 1, ok(tokens(&["a", "b"])))
        .await;
    stage.on("GET", "users/2/asps", 1, ok(asps(&[]))).await;
    stage.on("GET", "users/2/tokens", 1, ok(tokens(&[]))).await;
    stage.on("GET", "users/3/asps", 1, no_such_user()).await;
    stage
        .on("GET", "users/4/asps", 1, error(500, "backendError", ""))
        .await;
    let proofs = read(&stage, &["1", "2", "3", "4"]).await;
    assert!(
        matches!(
            proofs.as_slice(),
            [
                Proof::Remaining { items: 3 },
                Proof::Remaining { items: 0 },
                Proof::SubjectMissing,
                Proof::Failed(_),
            ]
        ),
        "{proofs:?}"
    );
}

#[tokio::test]
async fn only_what_the_steps_end_is_proof() {
    let stage = Stage::with(r#"steps = ["grants", "sign-out"]"#).await;
    stage
        .on("GET", "users/1/tokens", 1, ok(tokens(&["a"])))
        .await;
    let proofs = read(&stage, &["1"]).await;
    assert!(matches!(proofs.as_slice(), [Proof::Remaining { items: 1 }]));
    assert_eq!(stage.seen().await, ["GET users/1/tokens"]);
}

#[tokio::test]
async fn a_throttle_of_the_first_read_is_no_proof_at_all() {
    let stage = Stage::new().await;
    stage
        .on(
            "GET",
            "users/1/asps",
            1,
            error(429, "rateLimitExceeded", ""),
        )
        .await;
    let ids = ["1".to_owned(), "2".to_owned()];
    assert!(stage.evidence().read(&cx(), &ids).await.is_err());
    assert_eq!(stage.seen().await.len(), 1);
}
