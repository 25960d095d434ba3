-- Takes lines of a log apart. A line that does not look like one is dirty, with the reason.
--
--   - name: access
--     kind: lua
--     file: parse_log.lua
--     options: {format: nginx, from: __value__}
--
--   format   nginx: the "combined" format of access logs; app: lines of an application as in
--            2024-01-31 23:59:59,123 ERROR [worker-1] shop.Order - no stock, whose times are in the job's time_zone
--   from     the field with the line; __value__ without it
--
-- Another format is one more entry of the table below: the fields that it makes, a pattern of Lua with a capture for each part,
-- and a function that makes the fields of the parts.

local luaduct = require "luaduct"

local stage = {}
local format, from

local function present(text)
  if text ~= "-" and text ~= "" then return text end
end

local function whole(text)
  return math.tointeger(text) or error(text .. " is too large", 0)
end

local formats = {
  nginx = {
    fields = {"client string", "user string", "time timestamp", "method string", "path string", "status bigint", "bytes bigint",
              "referer string", "user_agent string"},
    pattern = '^(%S+) %S+ (.-) %[([^%]]+)%] "([^"]*)" (%d%d%d) (%d+) "([^"]*)" "([^"]*)"%s*$',
    make = function(client, user, time, request, status, bytes, referer, user_agent)
      -- What scanners send is often no request at all; the line is fine all the same.
      local method, path = request:match("^(%u+) (%S+) HTTP/[%d.]+$")
      return client, present(user), luaduct.time.parse(time, "dd/MMM/yyyy:HH:mm:ss Z"), method, path or present(request),
             whole(status), whole(bytes), present(referer), present(user_agent)
    end,
  },
  app = {
    fields = {"time timestamp", "level string", "thread string", "logger string", "message string"},
    pattern = "^(%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d,%d%d%d) (%u+) +%[([^%]]*)%] (%S+) %- (.*)$",
    make = function(time, level, thread, logger, message)
      return luaduct.time.parse(time, "yyyy-MM-dd HH:mm:ss,SSS"), level, present(thread), logger, message
    end,
  },
}

local function parse(line)
  if line == nil then error("there is no line", 0) end
  local parts = table.pack(line:match(format.pattern))
  if parts[1] == nil then error("this is no line of the format", 0) end
  return format.make(table.unpack(parts, 1, parts.n))
end

function stage.open(ctx)
  ctx.known{"format", "from"}
  from = ctx.options.from or "__value__"
  format = formats[ctx.options.format]
  if not format then
    ctx.complain("format", "nginx or app is wanted")
  end
end

function stage.process(batch)
  batch:map({from}, format.fields, parse)
end

return stage
