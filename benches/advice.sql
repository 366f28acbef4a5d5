-- 1,000 tables with 3,000 policies, as `neon_auth.advice` meets them; then: SELECT count(*) FROM neon_auth.advice;
CREATE SCHEMA advised;
GRANT USAGE ON SCHEMA advised TO authenticated;
CREATE TABLE advised.members (team_id text, user_id text);
DO $$
BEGIN
    FOR n IN 1..1000 LOOP
        EXECUTE format('CREATE TABLE advised.%I (id bigint PRIMARY KEY, user_id text NOT NULL, team_id text, open bool)', n);
        EXECUTE format('CREATE INDEX ON advised.%I (user_id)', n);
        EXECUTE format('ALTER TABLE advised.%I ENABLE ROW LEVEL SECURITY', n);
        EXECUTE format('CREATE POLICY own ON advised.%I TO authenticated USING (user_id = auth.user_id())', n);
        EXECUTE format('CREATE POLICY team ON advised.%I FOR SELECT TO authenticated USING (team_id = ANY (ARRAY('
                       'SELECT m.team_id FROM advised.members m WHERE m.user_id = auth.user_id())))', n);
        EXECUTE format('CREATE POLICY add ON advised.%I FOR INSERT TO authenticated '
                       'WITH CHECK (auth.is_team_member(team_id) AND NOT open)', n);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON advised.%I TO authenticated', n);
    END LOOP;
END
$$;
