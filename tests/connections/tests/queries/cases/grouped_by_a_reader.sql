--
SELECT 1
--
SELECT ⟦auth.user_id⟧() || '!' AS a, owner = ⟦auth.user_id()⟧ AS b, count(*) FROM parted GROUP BY ROLLUP (⟦auth.user_id⟧(), owner = ⟦auth.user_id()⟧)
