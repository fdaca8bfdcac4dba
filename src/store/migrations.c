#include "store/migrations.h"

const char *const migrations[] = {
	/* 1: workspaces. driver: 1 machine, 2 try. accel: 0 auto, 1 kvm, 2 tcg. pending: bits, store/workspaces.h. uid_base: 0 is none. */
	"CREATE TABLE workspaces ("
	" id TEXT PRIMARY KEY,"
	" name TEXT NOT NULL,"
	" owner TEXT NOT NULL,"
	" state TEXT NOT NULL,"
	" desired TEXT NOT NULL,"
	" detail TEXT NOT NULL,"
	" since_ms BIGINT NOT NULL,"
	" created_ms BIGINT NOT NULL,"
	" driver BIGINT NOT NULL,"
	" image TEXT NOT NULL,"
	" image_digest TEXT NOT NULL,"
	" cpus BIGINT NOT NULL,"
	" memory_bytes BIGINT NOT NULL,"
	" disk_bytes BIGINT NOT NULL,"
	" accel BIGINT NOT NULL,"
	" accel_in_use BIGINT NOT NULL,"
	" upstream_proxy TEXT NOT NULL,"
	" kernel_args TEXT NOT NULL,"
	" policy_file TEXT NOT NULL,"
	" policy_name TEXT NOT NULL,"
	" policy_sha256 TEXT NOT NULL,"
	" policy_lab BIGINT NOT NULL,"
	" generation BIGINT NOT NULL,"
	" pending BIGINT NOT NULL,"
	" uid_base BIGINT NOT NULL"
	");"
	"CREATE UNIQUE INDEX workspaces_name ON workspaces (owner, name);"
	"CREATE INDEX workspaces_state ON workspaces (owner, state, name);"
	"CREATE UNIQUE INDEX workspaces_uid ON workspaces (uid_base) WHERE uid_base <> 0;",
};

const size_t n_migrations = sizeof(migrations) / sizeof(migrations[0]);
