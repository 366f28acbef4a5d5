use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{Postgres, Transaction};
use std::env::var;

async fn tasks_of(pool: &PgPool, token: &str) -> sqlx::Result<Vec<String>> {
    let (pool, token) = (pool.clone(), token.to_owned());
    // SNIPPET
    Ok(tasks)
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let [alice, bob, refused] = ["ALICE", "BOB", "REFUSED"].map(|name| var(name).unwrap());
    let url = format!("postgres://app@localhost/postgres?host={}", var("PGHOST").unwrap());
    let pool = PgPoolOptions::new().max_connections(2).connect(&url).await?;
    for _ in 0..7 {
        let (hers, his) = tokio::join!(tasks_of(&pool, &alice), tasks_of(&pool, &bob));
        assert_eq!(hers?, ["water the plants"]);
        assert_eq!(his?, ["feed the cat"]);
    }
    let error = tasks_of(&pool, &refused).await.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().unwrap(), "28000");
    {
        // Dropped without a word.
        let mut tx = pool.begin().await?;
        sqlx::query("SELECT auth.authenticate($1)").bind(&alice).execute(&mut *tx).await?;
    }
    for _ in 0..2 {
        let user: Option<String> = sqlx::query_scalar("SELECT auth.user_id()").fetch_one(&pool).await?;
        assert_eq!(user, None);
    }
    println!("sqlx: two users, a refused token, a dropped transaction, nobody");
    Ok(())
}
