-- json_columns in process, with options that are none.
-- run: dirty json: 
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  luaduct.json_columns(setmetatable({}, {__index = function() return print end}))
end

return stage
