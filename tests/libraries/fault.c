/* Faults that a PostgreSQL that checks itself must report: `make test-cassert` is not trusted before it has. */

#include "postgres.h"

#include "fmgr.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(fail_assertion);
PG_FUNCTION_INFO_V1(read_beyond);

Datum
fail_assertion(PG_FUNCTION_ARGS)
{
	Assert(fcinfo == NULL);
	PG_RETURN_VOID();
}

/* Copies one byte too many of a palloc(). The length is not a constant, so that memcpy() is called. */
Datum
read_beyond(PG_FUNCTION_ARGS)
{
	volatile Size length = 24;
	char		copy[32];
	char	   *memory = palloc0(length);

	memcpy(copy, memory, length + 1);
	PG_RETURN_BOOL(copy[24] == 0);
}
