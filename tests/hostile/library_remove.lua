-- table.remove from a table that lies about its length.
-- run: dirty no table with __len
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  table.remove(setmetatable({}, {__len = function() return 1 << 60 end}), 1)
end

return stage
