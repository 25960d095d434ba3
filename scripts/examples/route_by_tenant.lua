-- Partition values from the tenant: the first part of the record key ("acme:1234" goes to "acme"), and "other" for tenants that
-- the options do not list, so that nobody can open partitions at will.
--
--   partition:
--     - name: tenant
--       kind: lua
--       file: route_by_tenant.lua
--       options: {tenants: [acme, globex]}
--
--   tenants   those that have a partition of their own

local route = {}
local known = {}

function route.open(ctx)
  ctx.known{"tenants"}
  if type(ctx.options.tenants) ~= "table" then
    ctx.complain("tenants", "a list of tenants is wanted")
    return
  end
  for _, tenant in ipairs(ctx.options.tenants) do
    known[tostring(tenant)] = true -- 7 in the job file is a number, and in the key a text
  end
end

function route.partition(batch)
  batch:map({"__key__"}, {"tenant string"}, function(key)
    local tenant = key and key:match("^([^:]+):")
    return known[tenant] and tenant or "other"
  end)
  return batch.tenant
end

return route
