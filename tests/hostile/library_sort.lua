-- table.sort of a table that lies about its length, by a function in C.
-- run: dirty no table with __len
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  table.sort(setmetatable({}, {__len = function() return (1 << 31) - 2 end}), rawequal)
end

return stage
