--
CREATE POLICY p0 ON docs USING (EXISTS (SELECT 1 FROM members m WHERE m.org_id = docs.org_id AND m.user_id = ⟦auth.user_id()⟧));
ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
--
SELECT id FROM docs WHERE n = 1 OR EXISTS (SELECT FROM notes WHERE notes.id = docs.id AND author = ⟦auth.user_id()⟧)
