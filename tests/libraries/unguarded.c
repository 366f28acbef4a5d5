/*
 * What a session could do if PostgreSQL asked nobody about the value of a setting. With it a test
 * proves that a text which the guard refuses is one that would count. Never installed: tests load
 * it by its path, as superuser.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"

PG_MODULE_MAGIC;

/* unguarded_get(name text) RETURNS text: a string setting's value, past its show hook. */
PG_FUNCTION_INFO_V1(unguarded_get);
Datum
unguarded_get(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	struct config_generic *found = NULL;

#if PG_VERSION_NUM >= 160000
	found = find_option(name, false, false, ERROR);
#else
	for (int i = 0; i < GetNumConfigOptions(); i++)
		if (strcmp(get_guc_variables()[i]->name, name) == 0)
			found = get_guc_variables()[i];
#endif
	if (found == NULL || found->vartype != PGC_STRING)
		elog(ERROR, "there is no string setting \"%s\"", name);
	if (*((struct config_string *) found)->variable == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(*((struct config_string *) found)->variable));
}

/* unguarded_set(name text, value text) RETURNS void: sets it as a parallel worker takes over its
 * leader's values, which no check hook of neon_auth refuses. */
PG_FUNCTION_INFO_V1(unguarded_set);
Datum
unguarded_set(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *value = text_to_cstring(PG_GETARG_TEXT_PP(1));

	InitializingParallelWorker = true;
	PG_TRY();
	{
		set_config_option(name, value, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SET, true, 0, false);
	}
	PG_FINALLY();
	{
		InitializingParallelWorker = false;
	}
	PG_END_TRY();
	PG_RETURN_VOID();
}
