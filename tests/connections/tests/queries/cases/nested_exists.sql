--
SELECT 1
--
DELETE FROM docs AS w WHERE EXISTS (SELECT 1 FROM members AS m WHERE m.org_id = w.org_id AND (m.user_id IN (VALUES (⟦auth.user_id()⟧), ('bob')) OR EXISTS (SELECT 1 FROM notes AS n WHERE n.author = m.user_id AND m.user_id = ⟦auth.user_id()⟧)) LIMIT 1);
SELECT oracle.state()
