/* Ends the process as some code does: with exit(), in the middle of a transaction, without PostgreSQL's proc_exit(). */

#include "postgres.h"

#include "fmgr.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(end_process);

Datum
end_process(PG_FUNCTION_ARGS)
{
	exit(1);
}
