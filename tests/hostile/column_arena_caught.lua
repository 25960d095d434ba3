-- The error of the batch's memory is caught, and more is asked for.
-- run: stop more memory than a batch may use|more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  while true do pcall(function() batch:set('x', batch.__offset__ + 1) end) end
end

return stage
