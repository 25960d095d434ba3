-- Files.
-- run: dirty attempt to index a nil value (global 'io')
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  io.open('/etc/passwd')
end

return stage
