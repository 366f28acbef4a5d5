/*
 * Takes places of PostgreSQL's list of relcache callbacks, as extensions beside neon_auth do: as
 * many in a process as its setting slots.taken says. A server of a test's own preloads it.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/guc.h"
#include "utils/inval.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

static int	taken = 0;

static void
ignore(Datum argument, Oid relation)
{
}

static void
take(int wanted, void *extra)
{
	static int	places = 0;

	for (; places < wanted; places++)
		CacheRegisterRelcacheCallback(ignore, (Datum) 0);
}

void
_PG_init(void)
{
	DefineCustomIntVariable("slots.taken", "Places that this process takes.", NULL, &taken, 0, 0, 100,
							PGC_USERSET, 0, NULL, take, NULL);
}
