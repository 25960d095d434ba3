-- A list of columns that lies.
-- run: dirty json: columns
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  luaduct.json_columns {columns = setmetatable({}, {__len = function() return 1 << 40 end})}
end

return stage
