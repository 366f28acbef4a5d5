--
SELECT 1
--
SELECT count(*) FROM parent AS p WHERE NOT EXISTS (SELECT 1 FROM notes AS n WHERE n.id = p.id AND n.id < ⟦auth.claim('limit')⟧::int LIMIT length(⟦auth.user_id()⟧))
