"""The forms in which policies name the signed-in user, and what each is with a literal in the reader's place."""

# Over a table with the columns `user_id text` and `owner uuid`, which contain the same id. In braces: the reader, or
# the literal of the same type that the value of the reader is.
FORMS = {
    "auth.user_id() = user_id": "{auth.user_id()} = user_id",
    # drizzle-orm/neon: crudPolicy and authUid.
    "(select auth.user_id() = user_id)": "(select {auth.user_id()} = user_id)",
    "(select auth.uid() = owner)": "(select {auth.uid()} = owner)",
    "(select auth.user_id() = user_id and auth.role() = 'authenticated')":
        "(select {auth.user_id()} = user_id and {auth.role()} = 'authenticated')",
    "user_id = (select auth.user_id())": "user_id = (select {auth.user_id()})",
    "user_id = coalesce(auth.user_id(), '')": "user_id = coalesce({auth.user_id()}, '')",
    "user_id = case when auth.user_id() is null then '' else auth.user_id() end":
        "user_id = case when {auth.user_id()} is null then '' else {auth.user_id()} end",
    "user_id = auth.jwt() ->> 'sub'": "user_id = {auth.jwt()} ->> 'sub'",
    "user_id = auth.claim('sub')": "user_id = {auth.claim('sub')}",
    "user_id = nullif(auth.user_id(), '')": "user_id = nullif({auth.user_id()}, '')",
    "owner = auth.user_id()::uuid": "owner = {auth.user_id()}::uuid",
    # No index on owner helps here, with a literal neither.
    "owner::text = auth.user_id()": "owner::text = {auth.user_id()}",
}
